-- Appends one block if it is the lane's next. One step for the server: entry, number, count and cursor
-- change together or not at all.
-- KEYS  stream, writer hash
-- ARGV  epoch, s, n, a, z, c, w, encoding, frame, 1 where a WAITAOF follows, then where the writer spills: its field of the
--       hash and the block's place in its spill
-- Answer {what, last s, epoch} with what = ok | repeat | gap | fenced | behind
local lane, err = state(KEYS[2])
if err then return err end
local mine, s = tonumber(ARGV[1]), tonumber(ARGV[2])
if lane.epoch > mine then return {'fenced', lane.s, lane.epoch} end
if lane.epoch < mine then return {'behind', lane.s, lane.epoch} end
if s <= lane.s then
  -- WAITAOF waits for what its own connection wrote, and the block was written on another. A full server refuses the
  -- HSET, unless the script has already changed something: HDEL is let through, and there is no such field.
  if ARGV[10] == '1' then
    redis.call('HDEL', KEYS[2], '')
    redis.call('HSET', KEYS[2], 'epoch', ARGV[1])
  end
  return {'repeat', lane.s, lane.epoch}
end
if s > lane.s + 1 then return {'gap', lane.s, lane.epoch} end
-- Deleted or evicted under the writer: readers that come to the place are told.
note_loss(KEYS[1], KEYS[2], lane)
local sum = digits(lane.e + tonumber(ARGV[3]))
-- A block without a cursor takes nobody's away.
local w, c = ARGV[7], ARGV[6]
if w == '' then w = lane.w end
if c == '' then c = lane.c end
redis.call('XADD', KEYS[1], '*', 'f', ARGV[8], 's', ARGV[2], 'n', ARGV[3], 'e', sum,
  'a', ARGV[4], 'z', ARGV[5], 'p', ARGV[1], 'c', ARGV[6], 'w', w, 'd', ARGV[9])
redis.call('HSET', KEYS[2], 's', ARGV[2], 'e', sum, 'c', c, 'w', w)
-- In the same step, so that whoever finds the block in a spill knows that it is stored.
if ARGV[11] then redis.call('HSET', KEYS[2], ARGV[11], ARGV[12]) end
return {'ok', s, lane.epoch}
