package malformed

import "strings"

// Stricter tells why clowder refuses a case that httpd lets through, "" when it
// does not.
func Stricter(name string) string { return of(stricter, name) }

// Differs tells why clowder answers a case that both let through in another way,
// "" when it does not.
func Differs(name string) string { return of(differs, name) }

func of(table map[string]string, name string) string {
	for reason, names := range table {
		for n := range strings.FieldsSeq(names) {
			if n == name {
				return reason
			}
		}
	}
	return ""
}

// Reasons returns every reason, for the comparison with the manual.
func Reasons() []string {
	var out []string
	for _, table := range []map[string]string{stricter, differs, answerStricter} {
		for reason := range table {
			out = append(out, reason)
		}
	}
	return out
}

// By reason, the names of the cases.
var stricter = map[string]string{
	"both Content-Length and Transfer-Encoding":                              "coding-37 coding-38 coding-39 coding-41",
	"Transfer-Encoding in an HTTP/1.0 request":                               "coding-53 coding-54 coding-55",
	"Content_Length or Transfer_Encoding":                                    "coding-43 length-34",
	"a folded field":                                                         "coding-46 coding-49 fold-01 fold-02 fold-03 fold-09 fold-10",
	"blanks behind a chunk size":                                             "chunk-08 chunk-09 chunk-10 chunk-45",
	"a trailer that is about framing or the connection, or is folded":        "trailer-03 trailer-04 trailer-05 trailer-06 trailer-07 trailer-16",
	"a request line without a version":                                       "line-13 line-14 version-36",
	"a version other than 1.0 and 1.1":                                       "version-03 version-04 version-05 version-32",
	"a target that is neither a path nor a whole URL":                        "target-03 target-16 target-18 target-19",
	"an authority in the target that is no host with a port from 1 to 65535": "method-32 target-25 target-27 target-28 target-31",
	"a bad Host beside a whole URL":                                          "host-70 host-71",
}

var differs = map[string]string{
	"ranges are left to the member":  "field-46",
	"LF alone before a request line": "pipeline-14",
}

// AnswerStricter tells why clowder refuses a backend's answer that httpd lets
// through, "" when it does not.
func AnswerStricter(name string) string { return of(answerStricter, name) }

var answerStricter = map[string]string{
	"several Content-Length in an answer":                        "length-14 length-15 length-16",
	"a Transfer-Encoding of an answer other than one chunked":    "coding-04 coding-05 coding-06 coding-07 coding-08 coding-09 coding-10 coding-11 coding-12 coding-14",
	"a chunk size of an answer of more than 15 digits":           "chunk-18",
	"a folded trailer of an answer":                              "trailer-05",
	"a status that is not followed by a blank or the line's end": "line-05 line-23",
	"control characters in an answer's status line":              "line-20 line-21",
	"an answer of more than 1000 header lines":                   "field-16",
}
