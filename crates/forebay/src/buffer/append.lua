-- Appends one block if it is the lane's next. One step for the server: entry, number, count and cursor
-- change together or not at all.
--
-- Lua hashes every byte of a string. So a large frame comes behind the script, in one transaction with it: the script then
-- renames the stream, `XADD … NOMKSTREAM` finds it under that name alone, and `count.lua` counts the block and gives the stream
-- its name back. Where the script does not run, or refuses, there is no stream of that name, and nothing is added.
-- KEYS  stream, writer hash, the stream's name while a block is added behind the script
-- ARGV  epoch, s, n, a, z, c, w, encoding, frame ('' where it follows), 1 where a WAITAOF follows, where the frame follows the
--       e that its entry has, then where the writer spills: its field of the hash and the block's place in its spill, and where it
--       keeps blocks back: the id of the first, '' where it is this one or stands there
-- Answer {what, last s, epoch} with what = ok | repeat | gap | fenced | behind | other (the entry behind the script is not what
-- this one would add); where blocks are kept back, its id too
local lane, err = state(KEYS[2])
err = err or put_back(KEYS[1], KEYS[3], KEYS[2], lane)
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
local id = ''
if ARGV[9] ~= '' then
  id = redis.call('XADD', KEYS[1], '*', 'f', ARGV[8], 's', ARGV[2], 'n', ARGV[3], 'e', sum,
    'a', ARGV[4], 'z', ARGV[5], 'p', ARGV[1], 'c', ARGV[6], 'w', w, 'd', ARGV[9])
elseif sum ~= ARGV[11] or w ~= ARGV[7] then
  return {'other', lane.s, lane.epoch}
else
  -- XLEN is an error where something else has its name.
  if redis.call('XLEN', KEYS[1]) == 0 and redis.call('EXISTS', KEYS[1]) == 0 then
    -- An empty stream.
    redis.call('XGROUP', 'CREATE', KEYS[1], 'none', '0', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', KEYS[1], 'none')
  end
  redis.call('RENAME', KEYS[1], KEYS[3])
  redis.call('HSET', KEYS[2], 'open', ARGV[2] .. ' ' .. redis.call('XLEN', KEYS[3]))
  return {'ok', s, lane.epoch}
end
redis.call('HSET', KEYS[2], 's', ARGV[2], 'e', sum, 'c', c, 'w', w)
-- In the same step, so that whoever finds the block in a spill knows that it is stored.
if ARGV[12] and ARGV[12] ~= '' then redis.call('HSET', KEYS[2], ARGV[12], ARGV[13]) end
if not ARGV[14] then return {'ok', s, lane.epoch} end
if ARGV[14] ~= '' then
  redis.call('HSET', KEYS[2], 'k', ARGV[14])
elseif ARGV[6] ~= '' then
  -- The first: until the writer has an answer it cannot say so itself.
  redis.call('HSETNX', KEYS[2], 'k', id)
end
return {'ok', s, lane.epoch, id}
