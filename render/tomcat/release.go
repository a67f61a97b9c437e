package tomcat

import (
	"fmt"
	"strconv"
	"strings"

	"clowder/parse/known"
	"clowder/render/target"
)

// release is one version of Tomcat: a branch (10.1), which stands for its newest
// release, or a release (7.0.23).
type release struct {
	text  string
	parts []int
	bits  known.Tomcat // the columns of the tables that are nearest to it
}

// branches are those that a server.xml is written for, oldest first.
var branches = []string{"7.0", "8.0", "8.5", "9.0", "10.0", "10.1", "11.0"}

// targetRelease reads the version to write for; "" is the newest branch. Versions
// that no server.xml is written for are a [target.OptionError].
func targetRelease(version string) (release, error) {
	if version == "" {
		version = branches[len(branches)-1]
	}
	r := parseRelease(version)
	for _, b := range branches {
		if len(r.parts) > 1 && r.branch() == b {
			return r, nil
		}
	}
	return release{}, target.OptionError{Message: fmt.Sprintf("server.xml cannot be written for Tomcat %s; the versions are %s, and their releases", version, strings.Join(branches, ", "))}
}

// parseRelease reads a version as people write it: 8 and 10 are the last branches
// of that name, 9.0.x is 9.0. What is no version has no parts.
func parseRelease(version string) release {
	text := strings.TrimSuffix(strings.TrimSpace(version), ".x")
	switch text {
	case "7", "9", "11":
		text += ".0"
	case "8":
		text = "8.5"
	case "10":
		text = "10.1"
	}
	r := release{text: text}
	for word := range strings.SplitSeq(text, ".") {
		digits := word
		if i := strings.IndexFunc(word, func(c rune) bool { return c < '0' || c > '9' }); i > 0 && len(r.parts) == 2 {
			digits = word[:i] // 10.0.0-M1
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 {
			return release{text: text}
		}
		r.parts = append(r.parts, n)
	}
	r.bits, _ = known.TableBits(text)
	if r.bits == 0 && len(r.parts) > 0 && r.parts[0] < 7 {
		r.bits = known.T7 // the oldest that the tables have
	}
	return r
}

func (r release) branch() string {
	if len(r.parts) < 2 {
		return r.text
	}
	return fmt.Sprintf("%d.%d", r.parts[0], r.parts[1])
}

// atLeast reports whether the release is that version or a later one; a branch is
// its newest release.
func (r release) atLeast(floor string) bool {
	for i, word := range strings.Split(floor, ".") {
		n, _ := strconv.Atoi(word)
		switch {
		case i >= len(r.parts):
			return len(r.parts) > 0
		case r.parts[i] != n:
			return r.parts[i] > n
		}
	}
	return true
}

// crosses reports whether one of the releases is before the version and the other not.
func crosses(from, to release, version string) bool {
	return from.atLeast(version) != to.atLeast(version)
}

// strictAJP reports whether AJP connectors of the release ask for a secret and
// listen on loopback by default: the change after CVE-2020-1938
// (AbstractAjpProtocol of 7.0.100, 8.5.51, 9.0.31 and 10.0).
func (r release) strictAJP() bool {
	switch {
	case r.atLeast("9.0"):
		return r.atLeast("9.0.31")
	case r.atLeast("8.0"):
		return r.atLeast("8.5.51")
	}
	return r.atLeast("7.0.100")
}

// gone reports whether the release no longer has a class of Tomcat, or not yet.
func (r release) gone(class string) (known.Removal, bool) {
	outer, _, _ := strings.Cut(class, "$")
	if rm, ok := known.RemovalOf(outer); ok && known.TomcatOwn(outer) {
		if _, listed := known.ListedRemoval(outer[strings.LastIndexByte(outer, '.')+1:]); listed {
			since := rm.Since
			if s, ok := rm.Branches[strconv.Itoa(r.parts[0])]; ok {
				since = s
			}
			return rm, r.atLeast(since)
		}
	}
	info, ok := known.Class(outer)
	if !ok || info.Versions&r.bits != 0 {
		return known.Removal{}, false
	}
	first, _, _ := strings.Cut(info.Versions.String(), ",")
	rm := known.Removal{New: "-", Instead: "it came with Tomcat " + first}
	if known.ParseTomcat(first) < r.bits {
		rm.Instead = "it has no successor of that name"
	}
	return rm, true
}
