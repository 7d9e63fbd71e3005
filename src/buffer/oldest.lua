-- A lane's oldest blocks and what was ever dropped of it to make room.
-- KEYS  stream, writer hash
-- ARGV  how many blocks at the most
-- Answer {{id, bytes of the frame, id, bytes, …}, events}
local blocks = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])) do
  local bytes, f = 0, entry[2]
  for i = 1, #f, 2 do if f[i] == 'd' then bytes = #f[i + 1] end end
  blocks[#blocks + 1] = entry[1]
  blocks[#blocks + 1] = tostring(bytes)
end
local ever = string.match(redis.call('HGET', KEYS[2], 'trimmed') or '', ' (%d+)$')
return {blocks, tonumber(ever) or 0}
