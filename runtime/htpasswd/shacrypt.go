package htpasswd

import (
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strconv"
	"strings"
)

// maxRounds bounds the rounds of a SHA crypt hash: 200 times the usual number
// take about a second.
const maxRounds = 1_000_000

// shaSetting is what stands before the sum in a SHA crypt hash.
type shaSetting struct {
	prefix, salt string // up to the salt
	rounds       int
	newHash      func() hash.Hash
}

// parseSHA reads the setting of a hash; ok is false when the rounds are no number
// or too many.
func parseSHA(stored string) (s shaSetting, ok bool) {
	s = shaSetting{prefix: sha256Crypt, rounds: 5000, newHash: sha256.New}
	if strings.HasPrefix(stored, sha512Crypt) {
		s.prefix, s.newHash = sha512Crypt, sha512.New
	}
	rest := stored[len(s.prefix):]
	if n, found := strings.CutPrefix(rest, "rounds="); found {
		text, after, found := strings.Cut(n, "$")
		v, err := strconv.Atoi(text)
		if err != nil || !found || v > maxRounds {
			return s, false
		}
		rest, s.rounds = after, max(v, 1000)
		s.prefix += "rounds=" + strconv.Itoa(s.rounds) + "$"
	}
	s.salt, _, _ = strings.Cut(rest, "$")
	s.salt = s.salt[:min(len(s.salt), 16)]
	return s, true
}

// shaCrypt makes the hash of a password with the kind, rounds and salt of the
// stored one, by Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512".
func shaCrypt(password, stored string) (string, bool) {
	s, ok := parseSHA(stored)
	if !ok {
		return "", false
	}
	sum := shaRounds(s.newHash, password, s.salt, s.rounds)
	return s.prefix + s.salt + "$" + string(shaLetters(sum)), true
}

func shaRounds(newHash func() hash.Hash, password, salt string, rounds int) []byte {
	h := newHash()
	size := h.Size()
	h.Write([]byte(password + salt + password))
	b := h.Sum(nil)

	h.Reset()
	h.Write([]byte(password + salt))
	h.Write(spread(b, len(password)))
	for i := len(password); i > 0; i >>= 1 {
		if i&1 == 1 {
			h.Write(b)
		} else {
			h.Write([]byte(password))
		}
	}
	a := h.Sum(nil)

	h.Reset()
	for range len(password) {
		h.Write([]byte(password))
	}
	p := spread(h.Sum(nil), len(password))
	h.Reset()
	for range 16 + int(a[0]) {
		h.Write([]byte(salt))
	}
	s := spread(h.Sum(nil), len(salt))

	sum := append(make([]byte, 0, size), a...)
	for i := range rounds {
		h.Reset()
		if i&1 == 1 {
			h.Write(p)
		} else {
			h.Write(sum)
		}
		if i%3 != 0 {
			h.Write(s)
		}
		if i%7 != 0 {
			h.Write(p)
		}
		if i&1 == 1 {
			h.Write(sum)
		} else {
			h.Write(p)
		}
		sum = h.Sum(sum[:0])
	}
	return sum
}

// spread repeats a sum up to n bytes.
func spread(sum []byte, n int) []byte {
	out := make([]byte, 0, n)
	for len(out) < n {
		out = append(out, sum[:min(len(sum), n-len(out))]...)
	}
	return out
}

// shaLetters writes a sum in the order of bytes that the description gives: each
// group takes one byte out of each third, and the first of the three moves on.
func shaLetters(sum []byte) []byte {
	third := len(sum) / 3
	at := [3]int{0, third, 2 * third}
	var out []byte
	step := 1
	if len(sum) == sha256.Size {
		step = 2
	}
	for i := range third {
		g := [3]uint{uint(sum[at[0]+i]), uint(sum[at[1]+i]), uint(sum[at[2]+i])}
		first := i * step % 3
		out = letters(out, g[first]<<16|g[(first+1)%3]<<8|g[(first+2)%3], 4)
	}
	if len(sum) == sha256.Size {
		return letters(out, uint(sum[31])<<8|uint(sum[30]), 3)
	}
	return letters(out, uint(sum[63]), 2)
}
