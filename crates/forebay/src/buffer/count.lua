-- Counts a block that was added behind the append script, where it was, and gives the stream its name back.
-- KEYS  stream, writer hash, the stream's name while a block is added behind the script
-- ARGV  epoch, s, e, c, w, then where the writer spills: its field of the hash and the block's place in its spill, and
--       where it keeps blocks back: the id of the first, '' where it is this one or stands there
-- Answer {what, s, epoch} with what = ok | none (the append script has refused) | torn (the block was not added)
if redis.call('EXISTS', KEYS[3]) == 0 then return {'none', 0, 0} end
local s, epoch = tonumber(ARGV[2]), tonumber(ARGV[1])
local is_added = redis.call('HGET', KEYS[2], 'open') == ARGV[2] .. ' ' .. (redis.call('XLEN', KEYS[3]) - 1)
redis.call('RENAME', KEYS[3], KEYS[1])
if not is_added then return {'torn', s, epoch} end
redis.call('HSET', KEYS[2], 's', ARGV[2], 'e', ARGV[3], 'w', ARGV[5])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[2], 'c', ARGV[4]) end
-- In the same step, so that whoever finds the block in a spill knows that it is stored.
if ARGV[6] and ARGV[6] ~= '' then redis.call('HSET', KEYS[2], ARGV[6], ARGV[7]) end
if ARGV[8] and ARGV[8] ~= '' then
  redis.call('HSET', KEYS[2], 'k', ARGV[8])
elseif ARGV[8] and ARGV[4] ~= '' and redis.call('HEXISTS', KEYS[2], 'k') == 0 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then redis.call('HSET', KEYS[2], 'k', info[i + 1]) end
  end
end
return {'ok', s, epoch}
