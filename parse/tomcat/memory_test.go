package tomcat

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// TestMain turns the test program into a reader of one file when it is asked to:
// it prints the most memory that it needed, in KiB.
func TestMain(m *testing.M) {
	if name := os.Getenv("CLOWDER_TEST_READ"); name != "" {
		if err := readAndMeasure(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var raceDetector bool

func readAndMeasure(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f := diag.NewFile(name, data)
	if strings.HasSuffix(name, ".properties") {
		props, diags := Properties(f)
		fmt.Println(len(props), "properties,", len(diags), "findings")
	} else {
		d, diags := Parse(f)
		n, unmapped, more := LowerServer(d, Options{Version: "10.1"})
		LowerContext(d, &model.Context{}, nil)
		fmt.Println(len(diags), "findings,", len(unmapped), "unmapped,", len(more), n.At.Start)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	peak, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	fmt.Printf("peak %s\n", peak)
	return nil
}

// TestMemory proves that reading needs at most 20 bytes for each byte of the file
// and 32 MiB: the peak of a process of its own, as the kernel counts it.
func TestMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system has no /proc to read the peak of a process from")
	}
	if raceDetector {
		t.Skip("the race detector multiplies the memory")
	}
	const (
		full = 16 << 20
		size = 4 << 20
	)
	fill := func(head, unit, tail string, size int) string {
		return head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail
	}
	numbered := func(head, format, tail string, size int) string {
		b := []byte(head)
		for i := 0; len(b) < size; i++ {
			b = fmt.Appendf(b, format, i)
		}
		return string(append(b, tail...))
	}
	latin := `<?xml version="1.0" encoding="iso-8859-1"?>`
	tests := []struct{ name, text string }{
		{"elements.xml", fill("<Server>", "<a/>", "</Server>", full)},
		{"few-elements.xml", fill("<Server>", "<a/>", "</Server>", 200_000)},
		{"pairs.xml", fill("<Server>", "<a></a>", "</Server>", size)},
		{"texts.xml", fill("<Server>", "<a>x</a>", "</Server>", size)},
		{"split.xml", fill("<Server>", "x<?a?>", "</Server>", size)},
		{"listeners.xml", fill("<Server>", `<Listener className=""/>`, "</Server>", size)},
		{"attributes.xml", fill("<Server>", "<a b=''/>", "</Server>", full)},
		{"few-attributes.xml", fill("<Server>", "<a b='' c='' d='' e=''/>", "</Server>", 400_000)},
		{"wide.xml", numbered("<Server ", "a%d='' ", "/>", size)},
		{"contexts.xml", fill("<Server><Service><Engine><Host>", `<Context path="" docBase=""/>`, "</Host></Engine></Service></Server>", size)},
		{"text.xml", fill("<Server>", "text ", "</Server>", full)},
		{"line.xml", fill("<Server a='", "x", "'/>", size)},
		{"references.xml", fill("<Server>", "&lt;", "</Server>", size)},
		{"crlf.xml", fill("<Server>", "\r\n", "</Server>", size)},
		{"comments.xml", fill("<Server>", "<!---->", "</Server>", full)},
		{"cdata.xml", fill("<Server>", "<![CDATA[]]>", "</Server>", size)},
		{"instructions.xml", fill("<Server>", "<?a?>", "</Server>", size)},
		{"latin1.xml", fill(latin+"<Server>", "\xe9", "</Server>", size)},
		{"latin1-elements.xml", fill(latin+"<Server>", "<\xe9/>", "</Server>", size)},
		{"utf16.xml", fill("\xff\xfe<\x00S\x00>\x00", "\xe5\x65", "<\x00/\x00S\x00>\x00", size)},
		{"nul.xml", fill("<Server>", "\x00", "</Server>", size)},
		{"entities.xml", fill("<!DOCTYPE a [", "<!ENTITY a ''>", "]><a/>", size)},
		{"broken.xml", fill("<Server>", "<a", "", size)},
		{"unclosed.xml", fill("<Server>", "<a b=\"\n", "", size)},
		{"ends.xml", fill("<Server>", "</a>", "", size)},
		{"bomb.xml", `<!DOCTYPE Server [<!ENTITY a "` + strings.Repeat("<b/>", 100) + `"><!ENTITY c "` + strings.Repeat("&a;", 1000) + `">]><Server>&c;&c;&c;</Server>`},
		{"keys.properties", numbered("", "%d\n", "", size)},
		{"same.properties", fill("", "a\n", "", size)},
		{"value.properties", fill("a=", "b", "\n", size)},
		{"latin1.properties", fill("a=", "\xe9", "\n", size)},
		{"escapes.properties", fill("a=", "\\u00e9", "\n", size)},
		{"broken.properties", fill("", "a=\\u\n", "", size)},
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := filepath.Join(dir, tt.name)
			if err := os.WriteFile(p, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(p)
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), "CLOWDER_TEST_READ="+p, "GOGC=", "GOMEMLIMIT=")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			_, word, _ := strings.Cut(strings.TrimSpace(string(out)), "peak ")
			peak, err := strconv.Atoi(word)
			if err != nil {
				t.Fatalf("no peak: %s", out)
			}
			limit := 20*len(tt.text)>>10 + 32<<10
			t.Logf("%d KiB of at most %d, %.1f bytes per byte: %.80s", peak, limit, float64(peak<<10)/float64(len(tt.text)), out)
			if peak > limit {
				t.Errorf("needs %d KiB, more than %d", peak, limit)
			}
		})
	}
}
