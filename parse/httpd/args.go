package httpd

import "strings"

// argProblem says what is wrong with the number of a directive's words, as
// invoke_cmd in server/config.c counts them for its kind of arguments; "" when
// nothing is. Directives that read their text themselves (RAW_ARGS, TAKE_ARGV)
// are not judged here.
func (c *Config) argProblem(n *Node) string {
	cmd := n.command()
	if cmd == nil {
		return ""
	}
	kind := cmd.args
	if cmd.args22 != "" && strings.HasPrefix(c.version, "2.2") {
		kind = cmd.args22
	}
	words := len(n.Args)
	empty := func(i int) bool { return i < words && n.Args[i].Text == "" }
	problem := kindProblem(n, kind, words, empty)
	if most := mostWords[kind]; problem != "" && most > 0 && words > most {
		problem += "; put one with blanks in quotes"
	}
	return problem
}

// mostWords is how many words directives take.
var mostWords = map[string]int{"TAKE1": 1, "TAKE2": 2, "TAKE12": 2, "TAKE3": 3, "TAKE23": 3, "TAKE123": 3, "TAKE13": 3}

// kindProblem is argProblem for one kind of arguments.
func kindProblem(n *Node, kind string, words int, empty func(int) bool) string {
	switch kind {
	case "NO_ARGS":
		if n.Text() != "" {
			return "takes no arguments"
		}
	case "TAKE1":
		if words != 1 || empty(0) {
			return "takes one argument"
		}
	case "TAKE2":
		if words != 2 || empty(0) || empty(1) {
			return "takes two arguments"
		}
	case "TAKE12":
		if words < 1 || words > 2 || empty(0) {
			return "takes one or two arguments"
		}
	case "TAKE3":
		if words != 3 || empty(0) || empty(1) || empty(2) {
			return "takes three arguments"
		}
	case "TAKE23":
		if words < 2 || words > 3 || empty(0) || empty(1) {
			return "takes two or three arguments"
		}
	case "TAKE123":
		if words < 1 || words > 3 || empty(0) {
			return "takes one, two or three arguments"
		}
	case "TAKE13":
		if words < 1 || words > 3 || empty(0) || words == 2 && !empty(1) {
			return "takes one or three arguments"
		}
	case "ITERATE":
		if words == 0 || empty(0) {
			return "needs at least one argument"
		}
	case "ITERATE2":
		if words < 2 || empty(0) {
			return "needs at least two arguments"
		}
	case "FLAG":
		if on := n.Arg(0); !strings.EqualFold(on, "on") && !strings.EqualFold(on, "off") {
			return "must be On or Off"
		}
	}
	return ""
}
