package htpasswd

import (
	"context"
	"errors"
	"slices"
	"strings"
)

var (
	errZero = errors.New("it holds a zero byte")
	errLong = errors.New("it is too long; what follows is not read")
)

// Groups is a file of groups (AuthGroupFile): "name: user user". It is read at the
// first use and again when it changes. It is safe for concurrent use.
type Groups struct{ file *watched[map[string][]string] }

// NewGroups returns the file of groups at the path, which need not exist yet.
func NewGroups(path string) *Groups { return &Groups{newWatched(path, parseGroups)} }

// Member reports whether the user is in one of the groups, whose names compare
// without case, as in httpd. An error means that it is not known.
func (g *Groups) Member(ctx context.Context, user string, groups []string) (bool, error) {
	list, err := g.file.get(ctx)
	if err != nil {
		return false, err
	}
	has := list[user]
	return slices.ContainsFunc(groups, func(name string) bool {
		return name != "" && slices.Contains(has, lower(name))
	}), nil
}

// Check reads the file.
func (g *Groups) Check(ctx context.Context) error {
	_, err := g.file.get(ctx)
	return err
}

// parseGroups returns the groups of each user, their names in lower case
// (groups_for_user in mod_authz_groupfile.c).
func parseGroups(data []byte) map[string][]string {
	of := map[string][]string{}
	lines(data, maxFile, func(line string, _ int) {
		if strings.IndexByte(line, 0) >= 0 {
			return
		}
		name, rest := colonWord(line)
		name = lower(strings.TrimRight(name, " \t\r\n\v\f"))
		for user := range Words(rest) {
			if list := of[user]; len(list) == 0 || list[len(list)-1] != name {
				of[user] = append(list, name)
			}
		}
	})
	return of
}

// Words gives the words of a line, in quotes or not (ap_getword_conf of httpd).
func Words(s string) func(func(string) bool) {
	const blank = " \t\r\n\v\f"
	return func(yield func(string) bool) {
		for s = strings.TrimLeft(s, blank); s != ""; s = strings.TrimLeft(s, blank) {
			var w string
			if q := s[0]; q == '"' || q == '\'' {
				w, s = quoted(s[1:], q)
			} else if i := strings.IndexAny(s, blank); i >= 0 {
				w, s = s[:i], s[i:]
			} else {
				w, s = s, ""
			}
			if !yield(w) {
				return
			}
		}
	}
}

func quoted(s string, q byte) (word, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == q:
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == q || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// lower changes A to Z only, whatever the bytes around them are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
