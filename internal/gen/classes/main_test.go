package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = `/* comment with set( */
package org.apache.catalina.demo;
import org.apache.catalina.util.Base;
import java.util.Map;
/** public void setFake(String a) */
@Deprecated
public class Sample<T extends Map<String,Integer>> extends Base<T> implements Other, java.io.Serializable {
    private String s = "public void setQuoted(String a) {";
    public void setPort(int port) { this.port = port; }
    public final void setSSLEnabled(boolean b) {}
    public void setAddress(java.net.InetAddress a) {}
    @Override
    public void setName(final String name) { if (true) { inner.setDeep(1); } }
    public void setMap(Map<String, Integer> map) {}
    public void setMixed(int x) {}
    public void setMixed(String x) {}
    protected void setHidden(String x) {}
    void setLocal(String x) {}
    public boolean setProperty(String name, String value) { return true; }
    public static class Inner { public void setInner(String x) {} }
}
`

func TestParseClass(t *testing.T) {
	c := parseClass(sample)
	if c.name != "org.apache.catalina.demo.Sample" {
		t.Errorf("name %q", c.name)
	}
	if got := strings.Join(c.parents, " "); got != "org.apache.catalina.util.Base org.apache.catalina.demo.Other java.io.Serializable" {
		t.Errorf("parents %s", got)
	}
	want := map[string]byte{"port": 'i', "sSLEnabled": 'b', "address": 'a', "name": 's', "map": 'o', "mixed": 's', "*": 's'}
	if !maps.Equal(c.setters, want) {
		t.Errorf("setters %q, want %q", c.setters, want)
	}
}

func TestGenerate(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	write := func(dir, name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, dir := range dirs {
		write(dir, "build.properties.default", "version.major="+[]string{"9", "11"}[i]+"\nversion.minor=0\nversion.build=1\n")
		write(dir, "java/org/apache/catalina/A.java", "package org.apache.catalina;\npublic class A { "+[]string{"public void setOld(int a) {}", ""}[i]+" public void setBoth(String a) {} }")
		write(dir, "java/com/example/B.java", "package com.example; public class B {}")
	}
	write(dirs[1], "java/org/apache/catalina/N.java", "package org.apache.catalina;\npublic class N extends A {}")
	got, err := generate("9.0=" + dirs[0] + ",11.0=" + dirs[1])
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ = strings.Cut(got, "\n")
	if want := "org.apache.catalina.A\t14\t\tboth/s old/i:4\norg.apache.catalina.N\t10\torg.apache.catalina.A\t\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
