package tomcat

import "testing"

// TestParseSendOptions holds what Channel.parseSendOptions of Tomcat 10.1.60
// returned, or the word that it refused.
func TestParseSendOptions(t *testing.T) {
	for _, c := range []struct {
		text  string
		value int
		wrong string
	}{
		{"4", 4, ""}, {"+6", 6, ""}, {"0", 0, ""}, {"-1", -1, ""}, {"255", 255, ""}, {"", 0, ""},
		{"sync", 4, ""}, {"synchronized_ack", 4, ""}, {"async", 8, ""}, {"asynchronous", 8, ""},
		{"byte", 1, ""}, {"byte_message", 1, ""}, {"secure", 16, ""}, {"udp", 32, ""}, {"multicast", 64, ""},
		{"use_ack,sync", 6, ""}, {"use_ack , sync", 6, ""}, {"use_ack,", 2, ""},
		{"SYNC", 0, "SYNC"}, {" 6 ", 0, " 6 "}, {" use_ack , sync ", 0, " use_ack"},
		{"use_ack,foo", 0, "foo"}, {"2,4", 0, "2"}, {"0x6", 0, "0x6"}, {"use_ack sync", 0, "use_ack sync"},
	} {
		value, wrong, ok := ParseSendOptions(c.text)
		if value != c.value || wrong != c.wrong || ok != (c.wrong == "") {
			t.Errorf("%q: %d %q %v, want %d %q", c.text, value, wrong, ok, c.value, c.wrong)
		}
	}
}
