package javaser

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const vectors = "../../testdata/vectors/tribes"

// message cuts the message bytes out of a recorded frame: start marker, length, options, time stamp, id, member.
func message(frame []byte) []byte {
	if len(frame) < 43 || string(frame[:7]) != "FLT2002" {
		return nil
	}
	b := frame[11+4+8+4+16:]
	n := int(binary.BigEndian.Uint32(b))
	if n > len(b)-8 {
		return nil
	}
	b = b[4+n:]
	m := int(binary.BigEndian.Uint32(b))
	return b[4 : 4+m]
}

// rewrite parses a stream of block data and objects and writes it again.
func rewrite(t testing.TB, in []byte) []byte {
	r, w := NewReader(in), NewWriter()
	for r.More() {
		if r.block() {
			w.Raw(r.Bytes(1))
			continue
		}
		if r.More() {
			n := r.Node()
			Thaw(n)
			if err := w.Object(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return w.Bytes()
}

// inner collects the streams inside byte arrays of a tree.
func inner(v any, out *[][]byte) {
	switch n := v.(type) {
	case *Array:
		if bytes.HasPrefix(n.Data, []byte{0xAC, 0xED, 0, 5}) {
			*out = append(*out, n.Data)
		}
		for _, e := range n.Elems {
			inner(e, out)
		}
	case *Object:
		for _, p := range n.Parts {
			for _, e := range append(append([]any{}, p.Values...), p.Extra...) {
				inner(e, out)
			}
		}
	}
}

func TestVectorsRewrittenByteForByte(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(vectors, "*.bin"))
	streams := 0
	for _, f := range files {
		frame, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := message(frame)
		if !bytes.HasPrefix(m, []byte{0xAC, 0xED, 0, 5}) {
			continue
		}
		t.Run(filepath.Base(f), func(t *testing.T) {
			var all [][]byte
			inner(NewReader(m).Node(), &all)
			for _, s := range append(all, m) {
				streams++
				if got := rewrite(t, s); !bytes.Equal(got, s) {
					t.Errorf("rewritten stream differs:\n got %x\nwant %x", got, s)
				}
			}
		})
	}
	if streams < 60 {
		t.Errorf("only %d streams in the vectors", streams)
	}
}

func TestGoValuesThereAndBack(t *testing.T) {
	long := strings.Repeat("x", 70000)
	values := []any{
		nil, true, false, int8(-1), int16(9), int32(-7), int64(1234567890123), float32(1.5), 3.25, Char('Z'),
		"café \x00 \U0001F600", long, "lone \xED\xA0\x80 half", EnumValue{"lab.Colour", "GREEN"},
		time.UnixMilli(1600000000000).UTC(), UUID{0: 1, 15: 2}, big.NewInt(-1250), big.NewInt(0),
		&Decimal{Unscaled: big.NewInt(1250), Scale: 2}, []byte{0, 1, 2, 255}, []int32{1, 2, -3}, []string{"x", "y"},
		ObjectArray{"a", int32(1)}, []any{"one", int32(2), nil, []any{"deep"}},
		map[string]any{"k": int32(5), "l": []any{true}},
		&Map{Linked: true, AccessOrder: true, Entries: []Entry{{"k", int32(5)}}},
		&Map{Entries: []Entry{{int32(1), "v"}}}, &Set{Elems: []any{"s"}},
	}
	w := NewWriter()
	for _, v := range values {
		w.Int32(42)
		if err := w.Object(v); err != nil {
			t.Fatalf("%T: %v", v, err)
		}
	}
	r := NewReader(w.Bytes())
	for _, v := range values {
		if r.Int32() != 42 {
			t.Fatalf("block data before %T", v)
		}
		if got := r.Object(); !reflect.DeepEqual(got, v) {
			t.Errorf("got %#v, want %#v", got, v)
		}
	}
	if r.Err() != nil || r.More() {
		t.Error(r.Err(), r.More())
	}
}

func TestIntWidth(t *testing.T) {
	for in, want := range map[int]any{7: int32(7), math.MaxInt32: int32(math.MaxInt32), math.MaxInt32 + 1: int64(math.MaxInt32 + 1)} {
		if got, err := Freeze(in); err != nil || got != want {
			t.Errorf("Freeze(%d) = %T %v, %v", in, got, got, err)
		}
	}
}

func TestUnknownTypeNamed(t *testing.T) {
	type mine struct{}
	for _, v := range []any{mine{}, []any{mine{}}, map[string]any{"a": mine{}}} {
		if err := NewWriter().Object(v); err == nil || !strings.Contains(err.Error(), "javaser.mine") {
			t.Errorf("%T: %v", v, err)
		}
	}
	loop := []any{nil}
	loop[0] = loop
	if err := NewWriter().Object(loop); err == nil {
		t.Error("a list that holds itself was written")
	}
}

func TestBlockDataRecords(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 1024, 1025, 3000} {
		w := NewWriter()
		w.Raw(bytes.Repeat([]byte{7}, n))
		want := []byte{0xAC, 0xED, 0, 5}
		for left := n; left > 0; left -= 1024 {
			k := min(left, 1024)
			if k <= 255 {
				want = append(want, 0x77, byte(k))
			} else {
				want = append(want, 0x7A, 0, 0, byte(k>>8), byte(k))
			}
			want = append(want, bytes.Repeat([]byte{7}, k)...)
		}
		if !bytes.Equal(w.Bytes(), want) {
			t.Errorf("%d bytes: %x", n, w.Bytes())
		}
		if got := NewReader(w.Bytes()).Bytes(n); len(got) != n {
			t.Errorf("%d bytes: read %d", n, len(got))
		}
	}
}

func TestCyclesStayNodes(t *testing.T) {
	list := NewObject(classArrayList, int32(1))
	list.Parts[0].Extra = []any{Block(be32(1)), list}
	w := NewWriter()
	if err := w.Object(list); err != nil {
		t.Fatal(err)
	}
	got, ok := NewReader(w.Bytes()).Object().(*Object)
	if !ok || got.Parts[0].Extra[1] != got {
		t.Errorf("got %#v", got)
	}
}

func TestHostileStreams(t *testing.T) {
	deep := append([]byte{0xAC, 0xED, 0, 5}, bytes.Repeat([]byte("\x75\x72\x00\x03[[I\x00\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x78\x70\x00\x00\x00\x01"), 5000)...)
	for name, in := range map[string][]byte{
		"empty": nil, "header": {0xAC, 0xED}, "deep": deep,
		"huge block":  {0xAC, 0xED, 0, 5, 0x7A, 0x7F, 0xFF, 0xFF, 0xFF},
		"huge string": {0xAC, 0xED, 0, 5, 0x7C, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0},
		"bad handle":  {0xAC, 0xED, 0, 5, 0x71, 0, 0x7E, 0, 9},
		"exception":   {0xAC, 0xED, 0, 5, 0x7B},
	} {
		r := NewReader(in)
		r.Node()
		if r.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReader(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(vectors, "*.bin"))
	for _, name := range files {
		frame, _ := os.ReadFile(name)
		if m := message(frame); m != nil {
			f.Add(m)
			var all [][]byte
			inner(NewReader(m).Node(), &all)
			for _, s := range all {
				f.Add(s)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, w := NewReader(in), NewWriter()
		for r.More() {
			if r.block() {
				w.Raw(r.Bytes(1))
				continue
			}
			if r.Err() != nil {
				return
			}
			if n := r.Node(); r.Err() == nil {
				Thaw(n)
				if w.Object(n) != nil {
					return
				}
			}
		}
		if r.Err() != nil {
			return
		}
		once := w.Bytes()
		if again := rewrite(t, once); !bytes.Equal(once, again) {
			t.Errorf("second writing differs:\n%x\n%x", once, again)
		}
	})
}
