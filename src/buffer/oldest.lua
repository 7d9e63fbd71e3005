-- A lane's oldest block and what was ever dropped of it to make room.
-- KEYS  stream, writer hash
-- Answer {id, or '' where it holds none, events}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local ever = string.match(redis.call('HGET', KEYS[2], 'trimmed') or '', ' (%d+)$')
return {first and first[1] or '', tonumber(ever) or 0}
