/* element.h -- the text of one element of an XML document, for the answers of STS: they
 * are a dozen elements without attributes, comments and sections, so it is not a parser.
 */
#ifndef PIGEON_AWS_ELEMENT_H
#define PIGEON_AWS_ELEMENT_H

#include "base/buffer.h"

/* Puts the text of the first element of this name that has no attributes into `text`, its
 * references to characters (&amp;, &#39;) decoded. False: there is no such element, or it
 * is cut off, holds another one, or has more text than there is room for. */
bool element_text(const struct buffer *xml, const char *name, struct buffer *text);

#endif
