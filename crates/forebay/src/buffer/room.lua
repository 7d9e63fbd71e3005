-- Makes room: drops a lane's oldest blocks, whoever still has to read them.
-- KEYS  stream, writer hash
-- ARGV  id of the last one to drop
-- Answer {blocks found (1) or none (0), events of the lane before them, events dropped, events that were ever dropped so}
local newest = redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', 1)[1]
local number, ever = string.match(redis.call('HGET', KEYS[2], 'trimmed') or '', '^(%d+) (%d+)$')
ever = tonumber(ever or '0')
if not newest then return {0, 0, 0, ever} end
local first, last = block_at('XRANGE', KEYS[1], '-', ARGV[1]), block_at('XREVRANGE', KEYS[1], ARGV[1], '-')
trim_before(KEYS[1], following(newest[1]))
local before = first and tonumber(first.e) - tonumber(first.n) or 0
-- Not what the groups were done with, and the writer kept back.
before = math.max(before, tonumber(string.match(redis.call('HGET', KEYS[2], 'done') or '', ' (%d+)$') or '0'))
local gone = last and math.max(tonumber(last.e) - before, 0) or 0
ever = ever + gone
-- For readers who come to the place, and for a writer that never got this answer. After the trim: a full server refuses a
-- script whose first write takes memory.
redis.call('HSET', KEYS[2], 'trimmed', (last and last.s or number or '0') .. ' ' .. string.format('%.0f', ever),
  'trimmed:id', newest[1])
if last then redis.call('HSET', KEYS[2], 'trimmed:e', last.e) end
return {1, gone > 0 and before or 0, gone, ever}
