-- Appends one block if it is the lane's next. One step for the server: entry, number, count and cursor
-- change together or not at all.
-- KEYS  stream, writer hash
-- ARGV  epoch, s, n, a, z, c, frame, 1 where a WAITAOF follows
-- Answer {what, last s, epoch} with what = ok | repeat | gap | fenced | behind
local w = redis.call('HMGET', KEYS[2], 'epoch', 's', 'e')
local epoch, last, e = tonumber(w[1] or 0), tonumber(w[2] or 0), tonumber(w[3] or 0)
local mine, s = tonumber(ARGV[1]), tonumber(ARGV[2])
if epoch > mine then return {'fenced', last, epoch} end
if epoch < mine then return {'behind', last, epoch} end
if s <= last then
  -- WAITAOF waits for what its own connection wrote, and the block was written on another.
  if ARGV[8] == '1' then redis.call('HSET', KEYS[2], 'epoch', ARGV[1]) end
  return {'repeat', last, epoch}
end
if s > last + 1 then return {'gap', last, epoch} end
local sum = string.format('%.0f', e + tonumber(ARGV[3]))
redis.call('XADD', KEYS[1], '*', 'f', '1', 's', ARGV[2], 'n', ARGV[3], 'e', sum,
  'a', ARGV[4], 'z', ARGV[5], 'c', ARGV[6], 'd', ARGV[7])
redis.call('HSET', KEYS[2], 's', ARGV[2], 'e', sum, 'c', ARGV[6])
return {'ok', s, epoch}
