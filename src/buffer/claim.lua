-- Makes the caller the lane's writer: every older writer is fenced from here on.
-- KEYS  stream, writer hash
-- ARGV  the server's time in milliseconds (asked for before: Redis 6.2 lets no script write after TIME)
--       1 to take the lane, 0 to look only
-- Answer {epoch, s, e, c}: where the new writer goes on
local lane, err = state(KEYS[2])
err = err or catch_up(KEYS[1], lane)
if err then return err end
-- The time, so that an epoch is never given again where the hash is lost. Counted on where the clock went back.
local epoch = math.max(lane.epoch + 1, tonumber(ARGV[1]))
if ARGV[2] == '0' then return {epoch, lane.s, lane.e, lane.c} end
redis.call('HSET', KEYS[2], 'epoch', digits(epoch), 's', digits(lane.s), 'e', digits(lane.e), 'c', lane.c)
return {epoch, lane.s, lane.e, lane.c}
