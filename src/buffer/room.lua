-- Makes room: drops the oldest blocks of a lane, whoever still has to read them.
-- KEYS  stream, writer hash
-- ARGV  how many blocks at the most, bytes of frames that are enough, id after which nothing is dropped unless it is
--       the first ('+': no such id)
-- Answer {bytes of frames dropped, events of the lane before them, events dropped, events that were ever dropped so}
local blocks, enough, upto = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local function at(entry, name)
  local f = entry[2]
  for i = 1, #f, 2 do if f[i] == name then return f[i + 1] end end
end
local entries = redis.call('XRANGE', KEYS[1], '-', upto, 'COUNT', blocks)
if #entries == 0 then entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1) end
local before = string.match(redis.call('HGET', KEYS[2], 'trimmed') or '', ' (%d+)$')
if #entries == 0 then return {0, 0, 0, tonumber(before) or 0} end
local bytes, last = 0, nil
for _, entry in ipairs(entries) do
  last = entry
  bytes = bytes + #(at(entry, 'd') or '')
  if bytes >= enough then break end
end
local e, n = tonumber(at(entries[1], 'e')), tonumber(at(entries[1], 'n'))
local sum = tonumber(at(last, 'e'))
local ms, seq = string.match(last[1], '^(%d+)-(%d+)$')
redis.call('XTRIM', KEYS[1], 'MINID', '=', ms .. '-' .. string.format('%.0f', tonumber(seq) + 1))
local gone = e and n and sum and sum - (e - n) or 0
-- For readers who come to the place, and for a writer that never got this answer. After the trim: a full server refuses a
-- script whose first write takes memory.
local ever = string.format('%.0f', (tonumber(before) or 0) + gone)
redis.call('HSET', KEYS[2], 'trimmed', (at(last, 's') or '0') .. ' ' .. ever)
return {bytes, gone > 0 and e - n or 0, gone, tonumber(ever)}
