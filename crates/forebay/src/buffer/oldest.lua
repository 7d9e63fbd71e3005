-- A lane's oldest blocks and what was ever dropped of it to make room.
-- KEYS  stream, writer hash
-- ARGV  how many blocks at the most
-- Answer {{id, bytes of the frame, id, bytes, …}, events of the lane before them, events ever dropped so}
local blocks, before = {}, nil
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do
  local f = fields(entry)
  before = before or (tonumber(f.e) or 0) - (tonumber(f.n) or 0)
  blocks[#blocks + 1] = entry[1]
  blocks[#blocks + 1] = tostring(#(f.d or ''))
end
local w = redis.call('HMGET', KEYS[2], 'trimmed', 'e')
local ever = tonumber(string.match(w[1] or '', ' (%d+)$')) or 0
before = before or tonumber(w[2]) or 0
return {blocks, before > 0 and before or 0, ever}
