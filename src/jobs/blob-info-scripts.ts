// The Lua scripts of the cache of what is known of blobs; blob-info-cache.ts calls them. A blob has up to three keys, which the scripts
// make from the tenant's prefix and digests that they find; all are in one slot, as are those that are named in KEYS:
// - `<digest>`: a hash of size, uncompressed, compression, annotations;
// - `<digest>:places`: a sorted set of registry/repository by when the blob was last seen there;
// - `<digest>:variants`: a list of the blobs with this content, the last recorded first (a sorted set would take three times the memory).

import { script } from "./redis.ts";

/** Redis's clock in µs: two records that come one after the other have different times. */
const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
`;

/**
 * KEYS blob. ARGV prefix, digest, registry or "", "1" if other compressions of its content are wanted, too, how long things are kept in
 * ms. Reads: for the blob, and each of those, {digest, a number that is higher the later it was recorded, size, uncompressed, compression,
 * annotations, {repository of the registry, when seen…}}; what is not known is nil.
 */
export const LOOK_UP = script(`${NOW}local prefix, asked, registry = ARGV[1], ARGV[2], ARGV[3]
local function tell(digest, seen)
  local facts = redis.call('HMGET', prefix .. digest, 'size', 'uncompressed', 'compression', 'annotations')
  local places = {}
  if registry ~= '' then
    local all = redis.call('ZREVRANGEBYSCORE', prefix .. digest .. ':places', '+inf', now - ARGV[5] * 1000, 'WITHSCORES')
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, #registry + 1) == registry .. '/' then
        places[#places + 1] = string.sub(all[i], #registry + 2)
        places[#places + 1] = all[i + 1]
      end
    end
  end
  return {digest, seen, facts[1], facts[2], facts[3], facts[4], places}
end
local told = {tell(asked, 0)}
local content = ARGV[4] == '1' and redis.call('HGET', KEYS[1], 'uncompressed')
if content then
  local variants = redis.call('LRANGE', prefix .. content .. ':variants', 0, -1)
  for i, variant in ipairs(variants) do
    if variant ~= asked then told[#told + 1] = tell(variant, #variants - i) end
  end
end
return told`);

/**
 * KEYS blob, the tenant's blobs (by when they were last recorded). ARGV prefix, digest, size, uncompressed, compression, annotations,
 * registry/repository (each "" if not known), how long things are kept in ms, the most places of a blob, compressions of a content,
 * blobs of a tenant. Facts are added, and those that were there stay; but that zstd is zstd:chunked is news, and a size that comes with
 * what only the bytes could tell replaces one that a registry had told. Then the oldest go that are too many, with all that is kept of
 * them. Everything lapses when nothing was recorded of it for so long.
 */
export const RECORD = script(`${NOW}local blob, blobs = KEYS[1], KEYS[2]
local prefix, digest, size, uncompressed, compression, annotations, place = unpack(ARGV, 1, 7)
local kept = tonumber(ARGV[8])
local function see(key, member)
  redis.call('ZADD', key, now, member)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - kept * 1000)
  redis.call('PEXPIRE', key, kept)
end

local read = uncompressed ~= '' or compression ~= ''
redis.call(read and 'HSET' or 'HSETNX', blob, 'size', size)
if uncompressed ~= '' then redis.call('HSETNX', blob, 'uncompressed', uncompressed) end
local known = redis.call('HGET', blob, 'compression')
if compression ~= '' and (not known or known == 'zstd' and compression == 'zstd:chunked') then
  redis.call('HSET', blob, 'compression', compression)
  if annotations ~= '' then redis.call('HSET', blob, 'annotations', annotations) end
end
redis.call('PEXPIRE', blob, kept)
if place ~= '' then
  see(blob .. ':places', place)
  redis.call('ZREMRANGEBYRANK', blob .. ':places', 0, -ARGV[9] - 1)
end
local content = redis.call('HGET', blob, 'uncompressed')
if content then
  local variants = prefix .. content .. ':variants'
  redis.call('LREM', variants, 0, digest)
  redis.call('LPUSH', variants, digest)
  redis.call('LTRIM', variants, 0, ARGV[10] - 1)
  redis.call('PEXPIRE', variants, kept)
end

see(blobs, digest)
local over = redis.call('ZCARD', blobs) - ARGV[11]
if over > 0 then
  local oldest = redis.call('ZPOPMIN', blobs, math.min(over, 100))
  for i = 1, #oldest, 2 do
    local old = prefix .. oldest[i]
    local its = redis.call('HGET', old, 'uncompressed')
    if its then redis.call('LREM', prefix .. its .. ':variants', 0, oldest[i]) end
    redis.call('DEL', old, old .. ':places')
  end
end`);
