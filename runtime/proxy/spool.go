package proxy

import (
	"fmt"
	"io"
	"os"
)

// spool writes a chunked request body that is too large for memory to a file, so
// that its length is known before it is sent: what the variable proxy-sendcl asks
// for (stream_reqbody_cl of mod_proxy_http.c). done removes the file.
func (b *requestBody) spool() (done func(), err error) {
	if b.rest == nil || b.length >= 0 || b.held {
		return func() {}, nil
	}
	f, err := os.CreateTemp("", "clowder-body-*")
	if err != nil {
		return nil, fmt.Errorf("no room to keep the request body: %w", err)
	}
	done = func() { f.Close(); os.Remove(f.Name()) }
	n, err := f.Write(b.first)
	if err == nil {
		var more int64
		more, err = io.Copy(f, b.rest)
		b.length = int64(n) + more
	}
	if err != nil {
		done()
		return nil, fmt.Errorf("keeping the request body: %w", err)
	}
	b.file, b.rest = f, nil
	return done, nil
}
