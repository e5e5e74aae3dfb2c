--- What the broker lacks, as lines of rabbitmqctl that create it: for `pigeon check --connect`.
local json = require "pigeon.json"
local shell = require "pigeon.shell"

local repairs = {}

-- A name -> a regular expression that matches this name alone.
local function escape(name)
  return (name:gsub("[%^%$%(%)%.%[%]%*%+%?{}|\\]", "\\%0"))
end

-- The rights that Pigeon needs: to write to the default exchange, and to the queues, which RabbitMQ 4.2.6
-- and later want before they say whether a queue exists.
local function set_permissions(vhost, user, rows)
  local names, known = { "amq\\.default" }, {}
  for _, row in ipairs(rows) do
    if row.queue and not known[row.queue] then
      known[row.queue] = true
      names[#names + 1] = escape(row.queue)
    end
  end
  return ("rabbitmqctl set_permissions -p %s %s '^$' %s '^$'")
    :format(vhost, user, shell.quote("^(" .. table.concat(names, "|") .. ")$"))
end

-- By a file: rabbitmqctl of RabbitMQ 4.0 waits for ever where the definitions come from stdin.
local function declare(virtual_host, queue)
  local definitions = json.encode { queues = json.list { {
    name = queue, vhost = virtual_host or "VHOST", durable = true, auto_delete = false,
    arguments = { ["x-queue-type"] = "quorum" },
  } } }
  return ("f=/tmp/queue.$$.json; printf %%s %s >$f && rabbitmqctl import_definitions $f && rm $f")
    :format(shell.quote(definitions))
end

--- All rows that the broker answered, {queue, missing, ok} each, one of them, and {virtual_host, user} (nil: not
-- to be shown) -> the commands that create what is missing there, a list, or nil where none does.
function repairs.of(rows, row, login)
  local vhost = login.virtual_host and shell.quote(login.virtual_host) or "VHOST"
  local user = login.user and shell.quote(login.user) or "USER"
  if row.missing == "queue" then return { declare(login.virtual_host, row.queue) } end
  if row.missing == "right" then return { set_permissions(vhost, user, rows) } end
  if row.missing == "vhost" then
    return { "rabbitmqctl add_vhost " .. vhost, set_permissions(vhost, user, rows) }
  end
  if row.missing == "limit" then
    return { "rabbitmqctl list_vhost_limits -p " .. vhost, "rabbitmqctl list_user_limits --user " .. user }
  end
  return nil
end

return repairs
