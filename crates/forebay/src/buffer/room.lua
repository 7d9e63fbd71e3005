-- Makes room: drops a lane's oldest blocks, whoever still has to read them.
-- KEYS  stream, writer hash
-- ARGV  id of the last one to drop
-- Answer {blocks found (1) or none (0), events of the lane before them, events dropped, events that were ever dropped so}
local function at(entry, name)
  local f = entry[2]
  for i = 1, #f, 2 do if f[i] == name then return f[i + 1] end end
end
local first = redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', 1)[1]
local before = string.match(redis.call('HGET', KEYS[2], 'trimmed') or '', ' (%d+)$')
local ever = tonumber(before) or 0
if not first then return {0, 0, 0, ever} end
local e, n, sum = tonumber(at(first, 'e')), tonumber(at(first, 'n')), tonumber(at(last, 'e'))
trim_before(KEYS[1], following(last[1]))
local gone = e and n and sum and sum - (e - n) or 0
ever = ever + gone
-- For readers who come to the place, and for a writer that never got this answer. After the trim: a full server refuses a
-- script whose first write takes memory.
redis.call('HSET', KEYS[2], 'trimmed', (at(last, 's') or '0') .. ' ' .. string.format('%.0f', ever), 'trimmed:id', last[1],
  'trimmed:e', at(last, 'e') or '0')
return {1, gone > 0 and e - n or 0, gone, ever}
