-- Makes the caller the lane's writer: every older writer is fenced from here on.
-- KEYS  stream, writer hash
-- ARGV  the server's time in milliseconds (asked for before: Redis 6.2 lets no script write after TIME)
-- Answer {epoch, s, e, c}: where the new writer goes on
local w = redis.call('HMGET', KEYS[2], 's', 'e', 'c', 'epoch')
local s, e, c = w[1] or '0', w[2] or '0', w[3] or ''
-- The stream knows better where somebody deleted the hash: numbers must never be given twice.
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  local f = {}
  for i = 1, #newest[2], 2 do f[newest[2][i]] = newest[2][i + 1] end
  if f.s and tonumber(f.s) > tonumber(s) then s, e, c = f.s, f.e, f.c end
end
-- The time, so that an epoch is never given again where the hash is lost. Counted on where the clock went back.
local epoch = math.max(tonumber(w[4] or 0) + 1, tonumber(ARGV[1]))
redis.call('HSET', KEYS[2], 'epoch', string.format('%.0f', epoch), 's', s, 'e', e, 'c', c)
return {epoch, tonumber(s), tonumber(e), c}
