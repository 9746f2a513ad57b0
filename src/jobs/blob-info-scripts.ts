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
 * KEYS blob… ARGV prefix, how long things are kept in ms, then for each blob: digest, registry or "", "1" if other compressions of its
 * content are wanted, too. Reads a list for each: of the blob, and of those, {digest, a number that is higher the later it was recorded,
 * size, uncompressed, compression, annotations, {repository of the registry, when seen…}}; what is not known is nil.
 */
export const LOOK_UP = script(`${NOW}local prefix, kept = ARGV[1], ARGV[2]
local function tell(digest, seen, registry)
  local facts = redis.call('HMGET', prefix .. digest, 'size', 'uncompressed', 'compression', 'annotations')
  local places = {}
  if registry ~= '' then
    local all = redis.call('ZREVRANGEBYSCORE', prefix .. digest .. ':places', '+inf', now - kept * 1000, 'WITHSCORES')
    for i = 1, #all, 2 do
      if string.sub(all[i], 1, #registry + 1) == registry .. '/' then
        places[#places + 1] = string.sub(all[i], #registry + 2)
        places[#places + 1] = all[i + 1]
      end
    end
  end
  return {digest, seen, facts[1], facts[2], facts[3], facts[4], places}
end
local function look(blob, asked, registry, substitutes)
  local told = {tell(asked, 0, registry)}
  local content = substitutes == '1' and redis.call('HGET', blob, 'uncompressed')
  if content then
    local variants = redis.call('LRANGE', prefix .. content .. ':variants', 0, -1)
    for i, variant in ipairs(variants) do
      if variant ~= asked then told[#told + 1] = tell(variant, #variants - i, registry) end
    end
  end
  return told
end
local all = {}
for i, blob in ipairs(KEYS) do all[i] = look(blob, unpack(ARGV, 3 * i, 3 * i + 2)) end
return all`);

/**
 * KEYS the tenant's blobs (by when they were last recorded), blob… ARGV prefix, how long things are kept in ms, the most places of a blob,
 * compressions of a content, blobs of a tenant, then for each blob: digest, size, uncompressed, compression, annotations,
 * registry/repository (each "" if not known). Facts are added, and those that were there stay; but that zstd is zstd:chunked is news, and a size that comes with
 * what only the bytes could tell replaces one that a registry had told. Then the oldest go that are too many, with all that is kept of
 * them. Everything lapses when nothing was recorded of it for so long.
 */
export const RECORD = script(`${NOW}local blobs, prefix = KEYS[1], ARGV[1]
local kept, places, compressions, most = unpack(ARGV, 2, 5)
local function see(key, member)
  redis.call('ZADD', key, now, member)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - kept * 1000)
  redis.call('PEXPIRE', key, kept)
end
local function record(blob, digest, size, uncompressed, compression, annotations, place)
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
    redis.call('ZREMRANGEBYRANK', blob .. ':places', 0, -places - 1)
  end
  local content = redis.call('HGET', blob, 'uncompressed')
  if content then
    local variants = prefix .. content .. ':variants'
    redis.call('LREM', variants, 0, digest)
    redis.call('LPUSH', variants, digest)
    redis.call('LTRIM', variants, 0, compressions - 1)
    redis.call('PEXPIRE', variants, kept)
  end
  see(blobs, digest)
  now = now + 1
end
for i = 2, #KEYS do record(KEYS[i], unpack(ARGV, 6 * i - 6, 6 * i - 1)) end

local over = redis.call('ZCARD', blobs) - most
if over > 0 then
  local oldest = redis.call('ZPOPMIN', blobs, math.min(over, 100))
  for i = 1, #oldest, 2 do
    local old = prefix .. oldest[i]
    local its = redis.call('HGET', old, 'uncompressed')
    if its then redis.call('LREM', prefix .. its .. ':variants', 0, oldest[i]) end
    redis.call('DEL', old, old .. ':places')
  end
end`);
