-- Makes the caller the lane's writer: every older writer is fenced from here on.
-- KEYS  stream, writer hash
-- Answer {epoch, s, e, c}: where the new writer goes on
local w = redis.call('HMGET', KEYS[2], 's', 'e', 'c')
local s, e, c = w[1] or '0', w[2] or '0', w[3] or ''
-- The stream knows better where somebody deleted the hash: numbers must never be given twice.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  local f = {}
  for i = 1, #newest[2], 2 do f[newest[2][i]] = newest[2][i + 1] end
  if f.s and tonumber(f.s) > tonumber(s) then s, e, c = f.s, f.e, f.c end
end
local epoch = redis.call('HINCRBY', KEYS[2], 'epoch', 1)
redis.call('HSET', KEYS[2], 's', s, 'e', e, 'c', c)
return {epoch, tonumber(s), tonumber(e), c}
