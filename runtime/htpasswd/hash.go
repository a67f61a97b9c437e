package htpasswd

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// What verify says of a stored hash that it cannot use.
var (
	errDES     = errors.New("a hash of the old crypt(3), of DES, is not read: it holds 8 characters of a password and is quick to guess; make a new one with htpasswd -B")
	errUnknown = errors.New("its hash has no form that is read here (bcrypt, $apr1$, $1$, $5$, $6$, {SHA}); make one with htpasswd -B")
	errCost    = errors.New("its hash asks for more rounds than are made here")
)

// maxCost bounds bcrypt's cost: htpasswd makes no more than 17, and one more
// doubles the seconds that a request takes.
const maxCost = 17

// maxCrypt is how many bytes crypt of libxcrypt takes (CRYPT_MAX_PASSPHRASE_SIZE);
// its time grows with their square.
const maxCrypt = 512

// readable tells what is wrong with the form of a stored hash, nil for nothing.
func readable(hash string) error {
	switch kind(hash) {
	case kindBcrypt:
		cost, err := bcrypt.Cost([]byte(hash))
		if err != nil {
			return errUnknown
		}
		if cost > maxCost {
			return errCost
		}
		return nil
	case kindMD5, kindSHA1:
		return nil
	case kindSHA2:
		if _, ok := parseSHA(hash); !ok {
			return errCost
		}
		return nil
	case kindDES:
		return errDES
	}
	return errUnknown
}

type hashKind uint8

const (
	kindUnknown hashKind = iota
	kindBcrypt
	kindMD5
	kindSHA1
	kindSHA2
	kindDES
)

// kind tells the hashes apart as apr_password_validate of apr-util does
// (crypto/apr_md5.c), and by the prefixes of crypt(5) what that hands to crypt.
func kind(hash string) hashKind {
	switch {
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2y$"), strings.HasPrefix(hash, "$2b$"):
		return kindBcrypt
	case strings.HasPrefix(hash, apr1), strings.HasPrefix(hash, md5Crypt):
		return kindMD5
	case strings.HasPrefix(hash, "{SHA}"):
		return kindSHA1
	case strings.HasPrefix(hash, sha256Crypt), strings.HasPrefix(hash, sha512Crypt):
		return kindSHA2
	case len(hash) == 13 && strings.Trim(hash, itoa64) == "":
		return kindDES
	}
	return kindUnknown
}

// matches reports whether the password belongs to the hash. Of a hash that is not
// [readable] none does. Passwords end before a zero byte in C: one with such a
// byte matches nothing. The time taken does not depend on how much is equal.
func matches(password, hash string) bool {
	if strings.IndexByte(password, 0) >= 0 {
		return false
	}
	switch kind(hash) {
	case kindBcrypt:
		if readable(hash) != nil {
			return false
		}
		// Blowfish's key has room for 72 bytes; C cuts, and so does this.
		p := []byte(password)
		if len(p) > 72 {
			p = p[:72]
		}
		return bcrypt.CompareHashAndPassword([]byte(hash), p) == nil
	case kindMD5:
		magic := apr1
		if strings.HasPrefix(hash, md5Crypt) {
			if magic = md5Crypt; len(password) > maxCrypt {
				return false
			}
		}
		salt, _, _ := strings.Cut(hash[len(magic):], "$")
		return same(cryptMD5(password, salt, magic), hash)
	case kindSHA1:
		sum := sha1.Sum([]byte(password))
		return same("{SHA}"+base64.StdEncoding.EncodeToString(sum[:]), hash)
	case kindSHA2:
		if len(password) > maxCrypt {
			return false
		}
		made, ok := shaCrypt(password, hash)
		return ok && same(made, hash)
	}
	return false
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

const (
	itoa64      = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	apr1        = "$apr1$"
	md5Crypt    = "$1$"
	sha256Crypt = "$5$"
	sha512Crypt = "$6$"
)

// cryptMD5 is Poul-Henning Kamp's MD5 crypt of FreeBSD. Apache's $apr1$ is the
// same with another magic word.
func cryptMD5(password, salt, magic string) string {
	salt = salt[:min(len(salt), 8)]
	inner := md5.New()
	inner.Write([]byte(password + salt + password))
	mixed := inner.Sum(nil)

	h := md5.New()
	h.Write([]byte(password + magic + salt))
	for left := len(password); left > 0; left -= md5.Size {
		h.Write(mixed[:min(left, md5.Size)])
	}
	for i := len(password); i > 0; i >>= 1 {
		if i&1 == 1 {
			h.Write([]byte{0})
		} else {
			h.Write([]byte{password[0]})
		}
	}
	sum := h.Sum(nil)
	for i := range 1000 {
		h.Reset()
		if i&1 == 1 {
			h.Write([]byte(password))
		} else {
			h.Write(sum)
		}
		if i%3 != 0 {
			h.Write([]byte(salt))
		}
		if i%7 != 0 {
			h.Write([]byte(password))
		}
		if i&1 == 1 {
			h.Write(sum)
		} else {
			h.Write([]byte(password))
		}
		sum = h.Sum(sum[:0])
	}
	out := []byte(magic + salt + "$")
	for _, g := range [][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		out = letters(out, uint(sum[g[0]])<<16|uint(sum[g[1]])<<8|uint(sum[g[2]]), 4)
	}
	return string(letters(out, uint(sum[11]), 2))
}

// letters appends n letters of 6 bits each, the lowest first.
func letters(out []byte, v uint, n int) []byte {
	for range n {
		out = append(out, itoa64[v&63])
		v >>= 6
	}
	return out
}
