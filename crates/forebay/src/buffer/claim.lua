-- Looks at a lane, or takes it for a run of a writer: every older run is fenced from here on.
-- KEYS  stream, writer hash, the stream's name while a block is added behind the script
-- ARGV  what: look, first (the lane that decides who gets the buffer) or next (the lanes after it)
--       the run's id
--       first: the server's time in milliseconds (asked for before: Redis 6.2 lets no script write after TIME), the lowest
--              epoch that will do, and the lane's epoch and number as they were looked at; '' for whatever they are now
--       next:  the epoch that the first lane was taken with
--       last of all: 'none' where the run keeps no blocks back, so that what others did is not kept for ever
-- Answer {what, epoch, s, e, c, w, writer, lost, k} with what = ok | taken (somebody else has it by now): where the run goes on, who
-- had it, and events of a stream that is gone, where nobody has told of that before
local lane, err = state(KEYS[2])
if ARGV[1] ~= 'look' then err = err or put_back(KEYS[1], KEYS[3], KEYS[2], lane) end
err = err or catch_up(KEYS[1], lane)
if err then return err end
local what, run, epoch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local is_ours = lane.writer == run
local function answer(what, epoch, lost) return {what, epoch, lane.s, lane.e, lane.c, lane.w, lane.writer, lost,
  redis.call('HGET', KEYS[2], 'k') or ''} end
if what == 'look' then return answer('ok', lane.epoch, 0) end
if what == 'next' then
  -- The higher epoch wins, whichever of two runs comes to a lane first.
  if lane.epoch >= epoch and not is_ours then return answer('taken', lane.epoch, 0) end
elseif is_ours then
  -- The answer was lost: it is ours already.
  epoch = lane.epoch
else
  local has_changed = ARGV[5] ~= '' and (lane.epoch ~= tonumber(ARGV[5]) or lane.s ~= tonumber(ARGV[6]))
  if has_changed then return answer('taken', lane.epoch, 0) end
  -- The time, so that an epoch is never given again where the hash is lost. Counted on where the clock went back.
  epoch = math.max(epoch, tonumber(ARGV[4]), lane.epoch + 1)
end
-- First, since a full server refuses a script whose first write takes memory: a lane is taken before anything else is
-- done about a full server.
redis.call('HDEL', KEYS[2], 'writer')
redis.call('HSET', KEYS[2], 'epoch', digits(epoch), 's', digits(lane.s), 'e', digits(lane.e), 'c', lane.c, 'w', lane.w,
  'writer', run)
if ARGV[#ARGV] == 'none' then redis.call('HDEL', KEYS[2], 'k') end
forget_before(KEYS[1], KEYS[2], lane)
return answer('ok', epoch, what == 'next' and note_loss(KEYS[1], KEYS[2], lane) or 0)
