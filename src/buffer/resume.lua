-- After a server came back with less than it had acknowledged: takes the lane up again at the number the
-- writer had reached, so that the blocks lost show as a gap to every reader.
-- KEYS  stream, writer hash
-- ARGV  epoch, s, e, c, s when the writer took the lane
-- Answer {what, epoch, e that the server has} with what = ok | fenced
local w = redis.call('HMGET', KEYS[2], 'epoch', 's', 'e', 'c')
local epoch, s, e, c = tonumber(w[1] or 0), w[2] or '0', w[3] or '0', w[4] or ''
-- An older epoch is of a writer before us, who wrote no more than we found; or, where the server's clock went back, of
-- one after us, who may have written more.
local is_after = w[1] and epoch ~= tonumber(ARGV[1]) and tonumber(s) > tonumber(ARGV[5])
if epoch > tonumber(ARGV[1]) or is_after then return {'fenced', epoch, 0} end
-- The stream knows better where only the hash is gone: it may even hold blocks that the writer has no answer to.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  local f = {}
  for i = 1, #newest[2], 2 do f[newest[2][i]] = newest[2][i + 1] end
  if f.s and tonumber(f.s) > tonumber(s) then s, e, c = f.s, f.e, f.c or '' end
end
local kept = tonumber(e)
if tonumber(s) < tonumber(ARGV[2]) then s, e, c = ARGV[2], ARGV[3], ARGV[4] end
redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 's', s, 'e', e, 'c', c)
return {'ok', tonumber(ARGV[1]), kept}
