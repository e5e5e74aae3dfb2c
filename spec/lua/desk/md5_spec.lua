local md5 = require "pigeon.desk.md5"

describe("md5.of", function()
  -- RFC 1321, A.5, and lengths around the end of a block
  for text, digest in pairs {
    [""] = "d41d8cd98f00b204e9800998ecf8427e",
    ["abc"] = "900150983cd24fb0d6963f7d28e17f72",
    ["message digest"] = "f96b697d7cb7938d525a2f31aaf161d0",
    ["abcdefghijklmnopqrstuvwxyz"] = "c3fcd3d76192e4007dfb496cca67e13b",
    [("1234567890"):rep(8)] = "57edf4a22be3c955ac49da2e2107b67a",
    [("x"):rep(55)] = "04364420e25c512fd958a70738aa8f72",
    [("x"):rep(56)] = "668a72d5ba17f08e62dabcafad6db14b",
    [("x"):rep(64)] = "c1bb4f81d892b2d57947682aeb252456",
    [("\xff"):rep(1000)] = "23cc517ae5734b068e21c92920a5ee02",
  } do
    it(("knows that of %d bytes, %s"):format(#text, digest), function()
      assert.equal(digest, md5.of(text))
    end)
  end
end)
