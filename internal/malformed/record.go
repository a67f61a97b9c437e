package malformed

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
)

// Verdict is a Result in short, as it is recorded.
type Verdict struct {
	Statuses []int    `json:"statuses"`
	Refused  bool     `json:"refused,omitempty"`
	Backend  []string `json:"backend,omitempty"` // method, target and body of each request
}

// Record shortens results; requests are taken apart by Lenient.
func Record(results map[string]Result) map[string]Verdict {
	out := map[string]Verdict{}
	for name, r := range results {
		v := Verdict{Statuses: r.Statuses, Refused: r.Refused()}
		for _, b := range r.Backend {
			for _, q := range Lenient([]byte(b)) {
				v.Backend = append(v.Backend, q.String())
			}
		}
		out[name] = v
	}
	return out
}

// String is short: long texts become a checksum.
func (r Request) String() string {
	brief := func(s string) string {
		if len(s) > 300 {
			return fmt.Sprintf("%d bytes %08x", len(s), crc32.ChecksumIEEE([]byte(s)))
		}
		return s
	}
	s := brief(r.Method) + " " + brief(r.Target)
	if r.Body != "" {
		s += fmt.Sprintf(" %q", brief(r.Body))
	}
	if r.Size == 0 {
		s += " (cut)"
	}
	return s
}

// RecordFile is where httpd's verdicts stand, below the root of the repository.
func RecordFile(root string) string {
	return filepath.Join(root, "testdata", "malformed", "httpd.json")
}

// Recorded reads httpd's verdicts.
func Recorded(root string) (map[string]Verdict, error) {
	data, err := os.ReadFile(RecordFile(root))
	if err != nil {
		return nil, err
	}
	out := map[string]Verdict{}
	return out, json.Unmarshal(data, &out)
}
