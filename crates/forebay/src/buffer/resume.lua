-- After a server came back with less than it had acknowledged: takes the lane up again at the number the
-- writer had reached, and writes down beside the lane which blocks are lost, so that every reader who comes to the
-- place can tell.
-- KEYS  stream, writer hash, the stream's name while a block is added behind the script
-- ARGV  epoch, s, e, c, w, s when the writer took the lane, its run's id, 1 where it can go on after blocks of another one
-- Answer {what, epoch, e and s that the server has} with what = ok | fenced | after (another one has written since the writer took
--       the lane, on a server that did not know of that: none of its blocks are there, and the numbers go on after the other's)
local lane, err = state(KEYS[2])
err = err or put_back(KEYS[1], KEYS[3], KEYS[2], lane)
if err then return err end
local mine, acked = tonumber(ARGV[1]), tonumber(ARGV[2])
local is_after = lane.is_there and lane.epoch ~= mine and lane.s > tonumber(ARGV[6])
-- The higher epoch wins. A writer whose blocks are in files under their numbers cannot give them others.
if lane.epoch > mine or (is_after and ARGV[8] ~= '1') then return {'fenced', lane.epoch, 0, 0} end
-- It may even hold blocks that the writer has no answer to.
err = catch_up(KEYS[1], lane)
if err then return err end
local kept, stored = lane.e, lane.s
-- A full server refuses HSET as a script's first write, and not after HDEL.
redis.call('HDEL', KEYS[2], 'writer')
if lane.s < acked then
  redis.call('HSET', KEYS[2], 'lost:' .. digits(acked), digits(lane.s) .. ' ' .. digits(lane.e) .. ' ' .. ARGV[3])
  lane.s, lane.e = acked, tonumber(ARGV[3])
  if ARGV[4] ~= '' then lane.c = ARGV[4] end
  if ARGV[5] ~= '' then lane.w = ARGV[5] end
end
redis.call('HSET', KEYS[2], 'epoch', ARGV[1], 's', digits(lane.s), 'e', digits(lane.e), 'c', lane.c,
  'w', lane.w, 'writer', ARGV[7])
forget_before(KEYS[1], KEYS[2], lane)
return {is_after and 'after' or 'ok', mine, kept, stored}
