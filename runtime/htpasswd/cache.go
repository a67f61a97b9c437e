package htpasswd

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// half is how many verified passwords each half of a cache holds.
const half = 2048

type cacheKey [sha256.Size]byte

// cache remembers passwords that were right, so that a hash which is slow by
// design is not made for each request. It holds sums with a random key of this
// process, no passwords; the stored hash is part of the sum, so a changed line of
// the file is checked anew. It is bounded and safe for concurrent use.
type cache struct {
	sums sync.Pool

	mu       sync.Mutex
	new, old map[cacheKey]struct{}
}

func newCache() *cache {
	secret := make([]byte, 32)
	rand.Read(secret)
	c := &cache{new: map[cacheKey]struct{}{}}
	c.sums.New = func() any { return hmac.New(sha256.New, secret) }
	return c
}

func (c *cache) key(parts ...string) (k cacheKey) {
	h := c.sums.Get().(hash.Hash)
	h.Reset()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	h.Sum(k[:0])
	c.sums.Put(h)
	return k
}

func (c *cache) has(k cacheKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.new[k]; ok {
		return true
	}
	_, ok := c.old[k]
	if ok {
		c.put(k)
	}
	return ok
}

func (c *cache) add(k cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k)
}

func (c *cache) put(k cacheKey) {
	if len(c.new) >= half {
		c.old, c.new = c.new, make(map[cacheKey]struct{}, half)
	}
	c.new[k] = struct{}{}
}
