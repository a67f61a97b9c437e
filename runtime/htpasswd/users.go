// Package htpasswd reads the files of users and groups that httpd's
// mod_authn_file and mod_authz_groupfile read, and checks passwords against them.
//
// Hashes are those of apr_password_validate (apr-util, crypto/apr_md5.c) on Linux:
// bcrypt, $apr1$, {SHA}, and of crypt(3) $1$, $5$ and $6$. DES and plain passwords
// are refused. Neither passwords nor hashes are ever part of an error.
package htpasswd

import (
	"context"
	"runtime"
	"strings"
)

// Result is what became of a user and a password.
type Result uint8

// The results.
const (
	NotFound Result = iota // the file has no such user
	Denied
	Granted
)

// Problem is a line of a file that cannot be used.
type Problem struct {
	Line int    // from 1
	User string // "" when the line itself is the problem
	Err  error
}

// Users is a file of users (AuthUserFile). It is read at the first use and again
// when it changes. It is safe for concurrent use.
type Users struct {
	file  *watched[userList]
	cache *cache
}

type userList struct {
	hashes   map[string]string
	problems []Problem
}

// NewUsers returns the file of users at the path, which need not exist yet.
func NewUsers(path string) *Users {
	return &Users{newWatched(path, parseUsers), newCache()}
}

// slots are how many passwords are hashed at one time: half of the processors, so
// that many wrong passwords do not stop everything else.
var slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// Verify checks the password of a user. An error means that it is not known: the
// file cannot be read, or the context ended. A user whose hash cannot be read is
// denied.
func (u *Users) Verify(ctx context.Context, user, password string) (Result, error) {
	list, err := u.file.get(ctx)
	if err != nil {
		return Denied, err
	}
	hash, ok := list.hashes[user]
	if !ok {
		return NotFound, nil
	}
	key := u.cache.key(user, password, hash)
	if u.cache.has(key) {
		return Granted, nil
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return Denied, ctx.Err()
	}
	defer func() { <-slots }()
	if !matches(password, hash) {
		return Denied, nil
	}
	u.cache.add(key)
	return Granted, nil
}

// Check reads the file and returns what in it cannot be used.
func (u *Users) Check(ctx context.Context) ([]Problem, error) {
	list, err := u.file.get(ctx)
	return list.problems, err
}

// parseUsers takes the first line of each user, as check_password of
// mod_authn_file.c does.
func parseUsers(data []byte) userList {
	list := userList{hashes: map[string]string{}}
	problem := func(n int, user string, err error) {
		if len(list.problems) < 100 {
			list.problems = append(list.problems, Problem{n, user, err})
		}
	}
	long := lines(data, maxLine, func(line string, n int) {
		if strings.IndexByte(line, 0) >= 0 {
			problem(n, "", errZero)
			return
		}
		user, rest := colonWord(line)
		hash, _ := colonWord(rest)
		if _, ok := list.hashes[user]; ok {
			return
		}
		list.hashes[user] = hash
		if err := readable(hash); err != nil {
			problem(n, user, err)
		}
	})
	if long > 0 {
		problem(long, "", errLong)
	}
	return list
}

// colonWord cuts at the first colon, and takes those that follow it away, as
// ap_getword of httpd does.
func colonWord(s string) (word, rest string) {
	word, rest, _ = strings.Cut(s, ":")
	return word, strings.TrimLeft(rest, ":")
}
