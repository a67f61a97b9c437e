package tomcat

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"clowder/parse/diag"
)

var (
	expatN    = flag.Int("expat.n", 500, "how many inputs are compared with libexpat")
	expatSeed = flag.Uint64("expat.seed", 1, "seed of the inputs")
)

// expatServer answers each input (four bytes of length, then the bytes) with one
// line: the line at which libexpat stops, 0 for well-formed, and its message.
const expatServer = `
import sys, struct
from xml.parsers import expat
i, o = sys.stdin.buffer, sys.stdout
while True:
    head = i.read(4)
    if len(head) < 4: break
    p = expat.ParserCreate()
    try:
        p.Parse(i.read(struct.unpack(">I", head)[0]), True)
        o.write("0\n")
    except expat.ExpatError as e:
        o.write("%d %s\n" % (p.ErrorLineNumber, e))
    except Exception as e:
        o.write("-1 %s\n" % e)
    o.flush()
`

type expat struct {
	in  io.WriteCloser
	out *bufio.Reader
}

func startExpat(t *testing.T) *expat {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CLOWDER_INTEROP") == "require" {
			t.Fatal("python3 is missing")
		}
		t.Skip("libexpat is reached through python3: install python3 to compare with it")
	}
	cmd := exec.Command(python, "-c", expatServer)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &expat{in, bufio.NewReader(out)}
}

// stop returns the line at which expat stops, 0 for a well-formed document.
func (x *expat) stop(data []byte) (at int, message string, err error) {
	if _, err := x.in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)); err != nil {
		return 0, "", err
	}
	line, err := x.out.ReadString('\n')
	if err != nil {
		return 0, "", err
	}
	word, message, _ := strings.Cut(strings.TrimSpace(line), " ")
	if _, err := fmt.Sscan(word, &at); err != nil {
		return 0, "", err
	}
	if at < 0 {
		return 0, "", errors.New(message)
	}
	return at, message, nil
}

// generator makes XML documents that are right, and then breaks many of them.
type generator struct {
	*rand.Rand
	seeds [][]byte
}

func (g *generator) pick(list ...string) string { return list[g.IntN(len(list))] }

func (g *generator) name() string {
	return g.pick("a", "b", "Server", "Engine", "x:y", "é", "_", "a.b-c", ":", "名前", "a·", "ÀÖ")
}

func (g *generator) space() string { return g.pick(" ", "\n", "\t", " ", "\r\n", "  ") }

func (g *generator) ref() string {
	return g.pick("&amp;", "&lt;", "&e0;", "&e1;", "&e2;", "&e3;", "&x;", "&#65;", "&#x20AC;", "&u;", "&quot;", "&#10;")
}

func (g *generator) text(n int) string {
	var b strings.Builder
	for range g.IntN(n + 1) {
		b.WriteString(g.pick("a", " ", "\n", "text", "é", "日本", "\U0001F600", "]]", "'", ">", "=", g.ref(), "\t", "%", ";"))
	}
	return b.String()
}

func (g *generator) value() string {
	q := g.pick(`"`, `'`)
	return q + strings.NewReplacer(q, "").Replace(g.text(4)) + q
}

func (g *generator) element(depth int) string {
	var b strings.Builder
	name := g.name()
	b.WriteString("<" + name)
	for i := range g.IntN(4) {
		n := g.name()
		if g.IntN(12) > 0 {
			n += fmt.Sprint(i)
		}
		b.WriteString(g.space() + n + g.pick("=", " = ", "=\n") + g.value())
	}
	b.WriteString(g.pick("", "", g.space()))
	if g.IntN(4) == 0 {
		return b.String() + "/>"
	}
	b.WriteString(">")
	for range g.IntN(4) {
		b.WriteString(g.content(depth))
	}
	return b.String() + "</" + name + g.pick("", "", "", g.space()) + ">"
}

func (g *generator) content(depth int) string {
	switch n := g.IntN(10); {
	case n < 4 && depth > 0:
		return g.element(depth - 1)
	case n == 5:
		return g.misc()
	case n == 6:
		return "<![CDATA[" + g.pick("", "<x>", "]]", "&", "]>", "\n") + "]]>"
	}
	return g.text(5)
}

func (g *generator) misc() string {
	return g.pick("\n", " ", "<!-- c -->", "<!---->", "<?pi?>", "<?pi  a > b?>", "<!--<a>\n&-->", "<?xml-stylesheet href='x'?>", "<?é x?>")
}

func (g *generator) declaration() string {
	switch g.IntN(9) {
	case 0:
		return "<!ELEMENT " + g.name() + " " + g.pick("EMPTY", "ANY", "(#PCDATA)", "(#PCDATA|a|b)*", "(a,b?,(c|d)+)", "(a)", "( a | b )*") + ">"
	case 1:
		return "<!ATTLIST " + g.name() + g.space() + g.name() + " " + g.pick("CDATA", "ID", "(a|b)", "NMTOKENS", "NOTATION (n|m)") + " " +
			g.pick("#IMPLIED", "#REQUIRED", "'v'", "#FIXED \"v &amp; w\"") + ">"
	case 2:
		return "<!NOTATION n " + g.pick("SYSTEM 'x'", "PUBLIC '-//a'", "PUBLIC 'p' \"s\"") + ">"
	case 3:
		return g.misc()
	case 4:
		return "<!ENTITY x " + g.pick("SYSTEM 'x.xml'", "PUBLIC 'p' 'x.xml'") + ">"
	case 5:
		return "<!ENTITY u SYSTEM 'u' NDATA n>"
	case 6:
		return "<!ENTITY % p " + g.pick("'x'", "SYSTEM 'x'", "''") + ">"
	}
	return fmt.Sprintf("<!ENTITY e%d %s>", g.IntN(4), g.pick(`"v"`, `'<b>t</b>'`, `"&#60;b/>"`, `"&e1;"`, `"x&e2;y"`, `"&amp;#60;"`, `"&#38;lt;"`, `"<b"`, `"</b>"`, `""`, `"]]>"`, `"&x;"`, `"a &lt; b"`))
}

// document makes one document.
func (g *generator) document() []byte {
	var b strings.Builder
	enc := g.pick("", "", "", "", "utf-16", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii", "utf-8")
	if enc != "" || g.IntN(3) == 0 {
		b.WriteString(`<?xml version=` + g.pick(`"1.0"`, `'1.0'`))
		if enc != "" {
			b.WriteString(` encoding="` + enc + `"`)
		}
		b.WriteString(g.pick("", "", ` standalone="yes"`, ` standalone='no' `) + "?>")
	}
	for range g.IntN(3) {
		b.WriteString(g.misc())
	}
	if g.IntN(2) == 0 {
		b.WriteString("<!DOCTYPE " + g.name() + g.pick("", "", " SYSTEM 'x.dtd'", ` PUBLIC "-//x" 'y'`, " "))
		if g.IntN(5) > 0 {
			b.WriteString("[")
			for range g.IntN(6) {
				b.WriteString(g.declaration() + g.pick("", "\n", " "))
			}
			b.WriteString("]" + g.pick("", " "))
		}
		b.WriteString(">" + g.misc())
	}
	b.WriteString(g.element(4))
	for range g.IntN(3) {
		b.WriteString(g.misc())
	}
	return g.encode(b.String(), enc)
}

func (g *generator) encode(s, enc string) []byte {
	var out []byte
	switch enc {
	case "utf-16":
		big := g.IntN(2) == 0
		units := utf16.Encode([]rune(s))
		if g.IntN(3) > 0 {
			units = append([]uint16{0xFEFF}, units...)
		}
		for _, u := range units {
			if big {
				out = append(out, byte(u>>8), byte(u))
			} else {
				out = append(out, byte(u), byte(u>>8))
			}
		}
		return out
	case "iso-8859-1", "iso-8859-15", "windows-1252":
		for _, r := range s {
			if r < 0x100 && (r < 0x80 || r >= 0xA0) {
				out = append(out, byte(r))
			}
		}
		return out
	}
	if g.IntN(10) == 0 {
		s = "\uFEFF" + s
	}
	return []byte(s)
}

// fragments are what a mutation puts somewhere.
var fragments = []string{"<", ">", "&", ";", "'", `"`, "/", "=", " ", "\n", "]]>", "--", "-->", "<!--", "?>", "<?", "<?xml version='1.0'?>", "<!DOCTYPE a>", "<![CDATA[",
	"<!ENTITY e1 'x'>", "%", "%p;", "&e1;", "&#0;", "&#xD800;", "&#;", "\x00", "\x01", "\xFF", "\xC0\x80", "\xED\xA0\x80", "\xEF\xBF\xBF", "é", "×", "</a>", "<a>", "]", "[", "(", "|", "a='1' ", "1", "\uFEFF", "\r", "<a b='1'", "\x7F"}

func (g *generator) mutate(data []byte) []byte {
	data = bytes.Clone(data)
	for range 1 + g.IntN(3) {
		if len(data) == 0 {
			return data
		}
		i := g.IntN(len(data))
		j := min(len(data), i+g.IntN(6))
		switch g.IntN(5) {
		case 0:
			data = append(data[:i], data[j:]...)
		case 1, 2:
			data = append(data[:i], append([]byte(fragments[g.IntN(len(fragments))]), data[i:]...)...)
		case 3:
			data = append(data[:j], append(bytes.Clone(data[i:j]), data[j:]...)...)
		case 4:
			if g.IntN(4) == 0 {
				data = data[:i]
			} else {
				data[i] = data[g.IntN(len(data))]
			}
		}
	}
	return data
}

func (g *generator) input() []byte {
	var data []byte
	if g.IntN(3) == 0 && len(g.seeds) > 0 {
		data = g.seeds[g.IntN(len(g.seeds))]
	} else {
		data = g.document()
	}
	if g.IntN(5) > 0 {
		data = g.mutate(data)
	}
	return data
}

// TestExpat compares the verdict and the line of the first error with libexpat.
func TestExpat(t *testing.T) {
	x := startExpat(t)
	g := &generator{Rand: rand.New(rand.NewPCG(*expatSeed, 2))}
	files, _ := filepath.Glob("../../testdata/seed/*/s*/server.xml")
	for _, p := range files {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		g.seeds = append(g.seeds, data)
	}
	differ, broken := 0, 0
	for i := range *expatN {
		data := g.input()
		at, message, err := x.stop(data)
		if err != nil {
			continue
		}
		if at > 0 {
			broken++
		}
		f := diag.NewFile("x", data)
		d, diags := Parse(f)
		if why := disagree(d, at, message); why != "" && known(d, at, message) == "" {
			if differ++; differ <= 20 {
				t.Errorf("input %d: %s\n%q\n%.300v", i, why, data, fmt.Sprint(diags))
			}
		}
		if got := d.Bytes(); !bytes.Equal(got, data) {
			t.Errorf("input %d: printed %q", i, got)
		}
	}
	t.Logf("%d inputs, %d broken, %d differ", *expatN, broken, differ)
	if broken < *expatN/4 || broken > *expatN*19/20 {
		t.Errorf("%d of %d inputs are broken: the comparison says little", broken, *expatN)
	}
}

// disagree says how a document differs from libexpat's verdict.
func disagree(d *Document, line int, message string) string {
	switch {
	case line == 0 && !d.WellFormed:
		return fmt.Sprintf("well-formed for expat, here it stops at line %d", stopLine(d))
	case line > 0 && d.WellFormed:
		return "well-formed here, expat: " + message
	case line > 0 && stopLine(d) != line:
		return fmt.Sprintf("stops at line %d, expat says: %s", stopLine(d), message)
	}
	return ""
}

// stopLine counts lines as expat does: CR, LF and CRLF end one.
func stopLine(d *Document) int {
	if !d.Stop.IsValid() {
		return 0
	}
	src := decode(d.File.Data)
	line := 1
	for i, c := range src.text {
		if src.offset(i) >= int(d.Stop.Start) {
			break
		}
		if c == '\n' && (i == 0 || src.text[i-1] != '\r') || c == '\r' {
			line++
		}
	}
	return line
}

// known returns the class of differences (docs/differences-xml.md) that an input
// with another result is in, or "".
func known(d *Document, line int, message string) string {
	src := decode(d.File.Data)
	prolog := string(src.text)
	if d.Root.Name != "" {
		prolog = string(d.File.Data[:d.Root.Tag.Start])
	}
	says := func(s string) bool { return strings.Contains(message, s) }
	switch {
	case len(d.File.Data) == 0:
		return "empty"
	case says("partial character"):
		return "partial"
	case src.unknown, src.name == "utf8":
		return "encoding"
	case line > 0 && !d.WellFormed && (strings.Contains(prolog, "<!DOCTYPE") || strings.ContainsAny(prolog, `"'`)) && int(d.Stop.Start) <= len(prolog) && stopLine(d) < line:
		return "prolog"
	}
	return ""
}
