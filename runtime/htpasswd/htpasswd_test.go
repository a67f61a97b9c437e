package htpasswd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Hashes of "pass wörd:1", made by htpasswd of httpd 2.4 and by openssl passwd.
var hashes = map[string]string{
	"bcrypt":  "$2y$05$uj8fBaJylB.psJFKUqeAyOFGS80RofIWtLWUqZL3UygHi4b2K7952",
	"apr1":    "$apr1$QkeU6fmm$TYVyQS5CWFMg7FuUB5Zs/.",
	"md5":     "$1$abcdefgh$3LcDwnzLW5.OQ935/jLbG.",
	"sha1":    "{SHA}YDV33R8IzlsB5bY1NVyuHerfnOA=",
	"sha256":  "$5$5/xHarQ80suRA5O/$No3pnry1MriHl5k/JM1/bOPGHw.e6/YwszdKgoacHL.",
	"sha512":  "$6$8hjWKys4iD93uOL9$SnTYlu9JbilzXBMj/UO0BN91292/Swcu.9J8SLw4iorlW9Ua5sPMmF7HueOl.3WWYrk47SSaM.HNJ8Rbt3J.a/",
	"DES":     "FMOlbwWCC/pWQ",
	"plain":   "pass wörd:1",
	"nothing": "",
}

const password = "pass wörd:1"

func TestHashes(t *testing.T) {
	for name, h := range hashes {
		good := name != "DES" && name != "plain" && name != "nothing"
		if got := matches(password, h); got != good {
			t.Errorf("%s: the right password gives %v", name, got)
		}
		for _, wrong := range []string{"", "x", password + "x", password[1:], password + "\x00", h} {
			if matches(wrong, h) {
				t.Errorf("%s: %q matches", name, wrong)
			}
		}
		if err := readable(h); (err == nil) != good {
			t.Errorf("%s: readable gives %v", name, err)
		}
	}
}

// What libxcrypt makes with rounds, a salt that is cut and passwords longer than a
// block of the sum.
func TestSHACrypt(t *testing.T) {
	for _, v := range [][2]string{
		{strings.Repeat("x", 300), "$6$rounds=1234$abc$7PtYGeYsWzPYQcMwJm6dY.4CP/h8I7sxatyqFqpyvGPmlUNCZSh8W2LdsHUgcwkOu4mNbjJndPIfHxL5LT3oQ1"},
		{"a much longer text to type than usual, to fill blocks of the sum, more than 64", "$5$rounds=2000$toolongsaltstrin$3fGTbrf.1ZRAI6ucho/BzoUg6keN4s4mHHLbI0Wuz20"},
	} {
		if !matches(v[0], v[1]) {
			t.Errorf("%s does not match", v[1])
		}
	}
	if err := readable("$6$rounds=999999999$salt$x"); !errors.Is(err, errCost) {
		t.Errorf("too many rounds: %v", err)
	}
}

func write(t *testing.T, name, text string, when time.Time) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, when, when); err != nil {
		t.Fatal(err)
	}
}

func TestUsers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	text := "# a comment\n\n  ann:" + hashes["bcrypt"] + ":more\n" +
		"bob::" + hashes["apr1"] + "\nann:" + hashes["sha1"] + "\ncar\\\nol:" + hashes["sha1"] + "\r\n" +
		"old:" + hashes["DES"] + "\nplain:" + password + "\nalone\n" +
		"x:" + strings.Repeat("y", 9000) + "\nlate:" + hashes["sha1"] + "\n"
	write(t, name, text, time.Now().Add(-time.Hour))
	u := NewUsers(name)
	for user, want := range map[string]Result{"ann": Granted, "bob": Granted, "carol": Granted, "old": Denied, "plain": Denied,
		"alone": Denied, "late": NotFound, "Ann": NotFound, "": NotFound, "# a comment": NotFound} {
		for range 2 { // the second time from the cache
			got, err := u.Verify(t.Context(), user, password)
			if err != nil || got != want {
				t.Errorf("%q: %v, %v, want %v", user, got, err, want)
			}
			if got, _ := u.Verify(t.Context(), user, "wrong"); got == Granted {
				t.Errorf("%q: a wrong password is granted", user)
			}
		}
	}
	problems, err := u.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, p := range problems {
		said += fmt.Sprintf("%d %s: %v\n", p.Line, p.User, p.Err)
	}
	for _, want := range []string{"8 old: a hash of the old crypt(3)", "9 plain: its hash has no form", "10 alone: ", "11 : it is too long"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if strings.Contains(said, password) || strings.Contains(said, hashes["DES"]) {
		t.Errorf("a password or hash is told:\n%s", said)
	}
}

func TestGroups(t *testing.T) {
	name := filepath.Join(t.TempDir(), "groups")
	write(t, name, "#x: ann\nAdmins : ann \"bob smith\"\nstaff:: carol ann\nstaff: dave\\\n  eve\nempty:\n: ann\n", time.Now())
	g := NewGroups(name)
	for _, c := range []struct {
		user, groups string
		want         bool
	}{
		{"ann", "admins", true}, {"ann", "ADMINS", true}, {"bob smith", "Admins", true}, {"bob", "Admins", false}, {"ann", "x staff", true},
		{"dave", "staff", true}, {"eve", "staff", true}, {"eve", "Admins", false}, {"ann", "empty", false}, {"", "empty", false}, {"ann", "#x", false},
	} {
		got, err := g.Member(t.Context(), c.user, strings.Fields(c.groups))
		if err != nil || got != c.want {
			t.Errorf("%s in %s: %v, %v", c.user, c.groups, got, err)
		}
	}
	if in, _ := g.Member(t.Context(), "ann", []string{""}); in {
		t.Error("a group without a name has members")
	}
}

// A change of the file counts a second later, a look is not made for each request.
func TestChange(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	hash := hashes["sha1"]
	past := time.Now().Add(-time.Hour)
	write(t, name, "ann:"+hash+"\n", past)
	u := NewUsers(name)
	now, looks := time.Now(), 0
	u.file.now = func() time.Time { return now }
	u.file.stat = func(s string) (fs.FileInfo, error) { looks++; return os.Stat(s) }
	want := func(what string, want Result) {
		t.Helper()
		if got, err := u.Verify(t.Context(), "ann", password); err != nil || got != want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	want("first", Granted)
	write(t, name, "eve:"+hash+"\n", past.Add(time.Minute))
	want("within the second", Granted)
	if looks != 1 {
		t.Errorf("%d looks at the file for two requests", looks)
	}
	now = now.Add(checkEvery)
	want("taken out", NotFound)
	now = now.Add(checkEvery)
	os.Remove(name)
	if got, err := u.Verify(t.Context(), "ann", password); got == Granted || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v, %v", got, err)
	}
	write(t, name, "ann:"+hash+"\n", past.Add(time.Minute)) // same size and time as before it went
	now = now.Add(checkEvery)
	want("back", Granted)
	write(t, name, "ann:"+hashes["apr1"]+"x\n", past.Add(2*time.Minute))
	now = now.Add(checkEvery)
	want("another hash", Denied)
	if err := os.Mkdir(name+".d", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := NewUsers(name+".d").Verify(t.Context(), "ann", password); err == nil {
		t.Error("a folder is a file of users")
	}
}

// A file that was changed just before it was read may change again with the same
// size and time.
func TestYoungFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	now := time.Now()
	write(t, name, "ann:"+hashes["sha1"]+"\n", now)
	u := NewUsers(name)
	u.file.now = func() time.Time { return now }
	if got, _ := u.Verify(t.Context(), "ann", password); got != Granted {
		t.Fatal(got)
	}
	write(t, name, "bob:"+hashes["sha1"]+"\n", now)
	now = now.Add(checkEvery)
	if got, _ := u.Verify(t.Context(), "ann", password); got != NotFound {
		t.Errorf("after a change with the same size and time: %v", got)
	}
}

// A disk that does not answer holds requests for five seconds, and lets nobody in.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUsers("users")
		hang := make(chan struct{})
		var looks atomic.Int32
		u.file.stat = func(string) (fs.FileInfo, error) {
			looks.Add(1)
			<-hang
			return nil, fs.ErrNotExist
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				began := time.Now()
				got, err := u.Verify(context.Background(), "ann", "x")
				if got == Granted || !errors.Is(err, errSlow) || time.Since(began) != checkWait {
					t.Errorf("%v, %v after %v", got, err, time.Since(began))
				}
			})
		}
		wg.Wait()
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks at once", n)
		}
		close(hang)
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache()
	for i := range 5 * half {
		c.add(c.key(fmt.Sprint(i), "p", "h"))
	}
	if n := len(c.new) + len(c.old); n > 2*half {
		t.Errorf("%d passwords are held", n)
	}
	if !c.has(c.key(fmt.Sprint(5*half-1), "p", "h")) || c.has(c.key("0", "p", "h")) {
		t.Error("the newest is gone, or the oldest is not")
	}
	if c.key("a", "bc", "h") == c.key("ab", "c", "h") || c.key("a", "b", "c") == newCache().key("a", "b", "c") {
		t.Error("keys of different things are equal")
	}
}

// FuzzUsers: no file makes a panic, and no password is right but for a readable hash.
func FuzzUsers(f *testing.F) {
	for _, h := range hashes {
		f.Add([]byte("ann:"+h+"\n"), password)
	}
	f.Add([]byte("a\\\nb:$1$:$\n:x\n$6$rounds=$\n"), "")
	f.Fuzz(func(t *testing.T, data []byte, pw string) {
		list := parseUsers(data)
		n := 0
		for user, h := range list.hashes {
			if n++; n > 3 || kind(h) == kindBcrypt && len(h) > 6 && h[4:6] > "06" || kind(h) == kindSHA2 && strings.Contains(h, "rounds=") {
				continue // slow by design
			}
			if strings.ContainsAny(user, ":\n\x00") {
				t.Errorf("user %q", user)
			}
			if matches(pw, h) && readable(h) != nil {
				t.Errorf("%q matches %q, which is not readable", pw, h)
			}
		}
		parseGroups(data)
	})
}
