package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Languages of the first hour.
const (
	russian = "ru"
	english = "en"
)

// langFlag is shared by the commands that a shop meets first.
type langFlag struct {
	Lang string `help:"ru or en; else as LANG says, else Russian." enum:"ru,en," default:"" placeholder:"ru"`
}

// language is the flag's, or that of the environment.
func (f langFlag) language(getenv func(string) string) string {
	if f.Lang != "" {
		return f.Lang
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if strings.HasPrefix(v, english+"_") || v == english {
				return english
			}
			return russian
		}
	}
	return russian
}

// talk speaks with a person in one language. Without somebody to ask, each
// answer is the default.
type talk struct {
	lang string
	in   *bufio.Reader // nil: nobody to ask
	out  io.Writer
}

func newTalk(lang string, in io.Reader, out io.Writer) *talk {
	t := &talk{lang: lang, out: out}
	if in != nil {
		t.in = bufio.NewReader(in)
	}
	return t
}

// say prints a line; both sentences take the same arguments.
func (t *talk) say(ru, en string, args ...any) {
	fmt.Fprintf(t.out, t.of(ru, en)+"\n", args...)
}

func (t *talk) of(ru, en string) string {
	if t.lang == english {
		return en
	}
	return ru
}

// asksMax is how often a person may give an answer that does not fit.
const asksMax = 5

// fails is an error with what to try, in the person's language. It is also of.
func (t *talk) fails(of error, ru, en, hintRu, hintEn string, args ...any) error {
	return hinted{err: spoken{fmt.Sprintf(t.of(ru, en), args...), of}, hint: t.of(hintRu, hintEn), try: t.of("попробуйте", "")}
}

// spoken is an error in words of its own.
type spoken struct {
	text string
	of   error
}

func (s spoken) Error() string { return s.text }
func (s spoken) Unwrap() error { return s.of }

// errNoAnswer: the input has ended.
var errNoAnswer = errors.New("no answer")

// ask puts a question until the answer fits; an empty one is def.
func (t *talk) ask(question, def string, check func(string) error) (string, error) {
	if t.in == nil {
		return def, check(def)
	}
	for range asksMax {
		fmt.Fprintf(t.out, "%s [%s]: ", question, def)
		line, err := t.in.ReadString('\n')
		answer := strings.TrimSpace(line)
		if err != nil && answer == "" {
			return "", t.fails(errNoAnswer, "нет ответа", "no answer", "ответьте в терминале, или kassad setup --yes", "answer on a terminal, or kassad setup --yes")
		}
		if answer == "" {
			answer = def
		}
		if err := check(answer); err == nil {
			return answer, nil
		} else {
			fmt.Fprintf(t.out, "  %v\n", err)
		}
	}
	return "", t.fails(errNoAnswer, "нет ответа", "no answer", "kassad setup run --help называет ответы, которые можно дать флагами", "kassad setup run --help names the answers that flags can give")
}

// yes asks for a word of consent; nobody gives none.
func (t *talk) yes(question string, def bool) (bool, error) {
	if t.in == nil {
		return false, nil
	}
	words := map[bool]string{true: t.of("да", "yes"), false: t.of("нет", "no")}
	answer, err := t.ask(question, words[def], func(s string) error {
		if _, ok := consent(s); !ok {
			return errors.New(t.of("ответьте да или нет", "answer yes or no"))
		}
		return nil
	})
	ok, _ := consent(answer)
	return ok, err
}

// consent reads a yes or a no of either language.
func consent(s string) (yes, ok bool) {
	switch strings.ToLower(s) {
	case "да", "д", "yes", "y":
		return true, true
	case "нет", "н", "no", "n":
		return false, true
	}
	return false, false
}

// onTerminal is r if a person can type there.
func onTerminal(r io.Reader) (io.Reader, bool) {
	f, ok := r.(*os.File)
	return r, ok && isTerminal(f)
}
