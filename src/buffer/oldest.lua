-- A lane's oldest block and what was ever dropped of it to make room.
-- KEYS  stream, writer hash
-- Answer {id, or '' where it holds none, events of the lane before it, events}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local w = redis.call('HMGET', KEYS[2], 'trimmed', 'e')
local ever = tonumber(string.match(w[1] or '', ' (%d+)$')) or 0
if not first then return {'', tonumber(w[2]) or 0, ever} end
local f = {}
for i = 1, #first[2], 2 do f[first[2][i]] = first[2][i + 1] end
local before = (tonumber(f.e) or 0) - (tonumber(f.n) or 0)
return {first[1], before > 0 and before or 0, ever}
