---@meta
-- The words of a rules script, for the Lua language server. Nothing runs this file.

---What S3 reports of an object. A field that the event lacks is nil.
---@class pigeon.Object
---@field bucket string
---@field key string already decoded
---@field event_name string such as "ObjectCreated:Put"
---@field time string? such as "2018-03-13T00:00:00.000Z"
---@field size integer? bytes
---@field region string?
---@field version_id string?
---@field sequencer string?
---@field source string always "aws:s3"

---What a rule returns: made by accept, defer and ignore alone.
---@class pigeon.Verdict

---A destination that is not a queue: made by exchange alone.
---@class pigeon.Exchange

---@class pigeon.Queue
---@field name string
---@field throttle number 0 to 100, the percentage of ids that it gets

---Publishes the id to these destinations; an empty list: throttled.
---@param id string
---@param destinations (string | pigeon.Exchange)[] names of queues, and exchanges
---@return pigeon.Verdict
---@nodiscard
function accept(id, destinations) end

---Publishes nothing. Reasons are counted, so keep them constant.
---@param reason string
---@return pigeon.Verdict
---@nodiscard
function defer(reason) end

---Publishes nothing. Reasons are counted, so keep them constant.
---@param reason string
---@return pigeon.Verdict
---@nodiscard
function ignore(reason) end

---@param name string
---@param routing_key string
---@return pigeon.Exchange
---@nodiscard
function exchange(name, routing_key) end

---The queues of PIGEON_QUEUE.
---@type pigeon.Queue[]
queues = {}

---PIGEON_ENV, or nil.
---@type string?
env = nil

---The key's last path element if it is a crash id.
---@param key string
---@return string? id
---@nodiscard
function crash_id(key) end

---A number from 0 to below 100, always the same for the same two strings.
---@param id string
---@param salt string
---@return number
---@nodiscard
function sample(id, salt) end
