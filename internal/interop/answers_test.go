package interop

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"clowder/internal/malformed"
)

// TestHTTPDAnswers plays broken answers of a backend through the real httpd and
// compares what comes of them with the record, which TestAnswers of runtime/proxy
// is judged by. -malformed.update records anew.
func TestHTTPDAnswers(t *testing.T) {
	bin := Require(t, "apache2", "apt-get install apache2-bin", "/usr/sbin/apache2")
	rig, err := malformed.NewAnswers(16)
	if err != nil {
		t.Fatal(err)
	}
	defer rig.Close()
	hostileFront(t, bin, rig.Config(), rig.Ports())
	got, err := rig.Play(malformed.Answers())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if *updateMalformed {
		if err := os.WriteFile(malformed.AnswersFile("../.."), append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := malformed.RecordedAnswers("../..")
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]malformed.Outcome{} // as a record gives it back
	if err := json.Unmarshal(data, &now); err != nil {
		t.Fatal(err)
	}
	for _, a := range malformed.Answers() {
		if w, g := want[a.Name], now[a.Name]; !reflect.DeepEqual(g, w) {
			t.Errorf("%s %.80q: httpd gives %+v, recorded is %+v", a.Name, a.Raw, g, w)
		}
	}
}
