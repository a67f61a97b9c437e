package htpasswd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// maxFile bounds a file of users or groups, in bytes.
const maxFile = 16 << 20

// How often a file is looked at, and how long a request waits for that.
const (
	checkEvery = time.Second
	checkWait  = 5 * time.Second
)

var errSlow = errors.New("the file could not be looked at in time")

// watched is a file that is parsed again when it changes. It is safe for
// concurrent use. What is older than checkEvery is not used without another look
// at the file, so that a user who was taken out is not let in by the next request;
// requests that come during a look wait for its end, checkWait at most.
type watched[T any] struct {
	path  string
	parse func([]byte) T
	now   func() time.Time
	stat  func(string) (fs.FileInfo, error)

	mu      sync.Mutex
	value   T
	err     error
	checked time.Time // when the last look began
	looking chan struct{}

	info   fs.FileInfo // of the version that was read; only touched by the one that looks
	young  bool        // it was changed just before it was read, perhaps again after
	parsed bool
}

func newWatched[T any](path string, parse func([]byte) T) *watched[T] {
	return &watched[T]{path: path, parse: parse, now: time.Now, stat: os.Stat}
}

// get returns the parsed file, or why there is none.
func (w *watched[T]) get(ctx context.Context) (T, error) {
	w.mu.Lock()
	now := w.now()
	if !w.checked.IsZero() && w.looking == nil && now.Sub(w.checked) < checkEvery && !now.Before(w.checked) {
		defer w.mu.Unlock()
		return w.value, w.err
	}
	done := w.looking
	if done == nil {
		done = make(chan struct{})
		w.looking = done
		go w.look(done, now)
	}
	w.mu.Unlock()

	timer := time.NewTimer(checkWait)
	defer timer.Stop()
	var none T
	select {
	case <-done:
	case <-timer.C:
		return none, fmt.Errorf("%s: %w", w.path, errSlow)
	case <-ctx.Done():
		return none, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.value, w.err
}

func (w *watched[T]) look(done chan struct{}, began time.Time) {
	value, err, fresh := w.read(began)
	w.mu.Lock()
	defer w.mu.Unlock()
	if fresh {
		w.value, w.err = value, err
	}
	w.checked, w.looking = began, nil
	close(done)
}

// read reads the file unless it is the one that is known already.
func (w *watched[T]) read(began time.Time) (value T, err error, fresh bool) {
	defer func() {
		if err != nil {
			w.parsed = false
		}
	}()
	info, err := w.stat(w.path)
	if err != nil {
		return value, err, true
	}
	if w.parsed && !w.young && info.Size() == w.info.Size() && info.ModTime().Equal(w.info.ModTime()) && os.SameFile(info, w.info) {
		return value, nil, false
	}
	if !info.Mode().IsRegular() {
		return value, fmt.Errorf("%s is no regular file", w.path), true
	}
	f, err := os.Open(w.path)
	if err != nil {
		return value, err, true
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return value, err, true
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return value, err, true
	}
	if len(data) > maxFile {
		return value, fmt.Errorf("%s is longer than %d bytes", w.path, maxFile), true
	}
	// Times of files come in steps: the file may change again within the same.
	w.info, w.young, w.parsed = info, began.Sub(info.ModTime()).Abs() < 2*time.Second, true
	return w.parse(data), nil, true
}

// maxLine is httpd's MAX_STRING_LEN: a longer line ends the file of users for it.
const maxLine = 8192

// lines calls f for each line as ap_cfg_getline of httpd gives them: joined where
// a backslash ends them, without blanks around; empty ones and those that begin
// with # are left out. It stops at a line with more than limit bytes and returns
// its number, else 0.
func lines(data []byte, limit int, f func(line string, number int)) (tooLong int) {
	for number := 1; len(data) > 0; {
		first := number
		var line []byte
		for {
			one, rest, _ := bytes.Cut(data, []byte{'\n'})
			data = rest
			number++
			one = bytes.TrimSuffix(one, []byte{'\r'})
			cut, more := bytes.CutSuffix(one, []byte{'\\'})
			if len(line)+len(cut) >= limit {
				return first
			}
			line = append(line, cut...)
			if !more || len(data) == 0 {
				break
			}
		}
		line = bytes.Trim(line, " \t\r\n\v\f")
		if len(line) > 0 && line[0] != '#' {
			f(string(line), first)
		}
	}
	return 0
}
