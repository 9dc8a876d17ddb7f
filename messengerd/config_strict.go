package messengerd

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

var durationType = reflect.TypeFor[time.Duration]()

// keyOf is the key of a field in YAML; "-" for none.
func keyOf(f reflect.StructField) string { return f.Tag.Get("yaml") }

// listedValues are the values a string field may have; the first is the default.
func listedValues(f reflect.StructField) []string {
	if f.Type.Kind() != reflect.String || f.Tag.Get("values") == "" {
		return nil
	}
	return strings.Split(f.Tag.Get("values"), "|")
}

func checkListed(f reflect.StructField, v reflect.Value, path string) error {
	values := listedValues(f)
	if values == nil || slices.Contains(values, v.String()) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", path, v.String(), strings.Join(slices.DeleteFunc(values, func(s string) bool { return s == "" }), ", "))
}

// fill reads a YAML node over out, a pointer. It exists because the YAML
// library names the line but not the path of an unknown key.
func fill(n *yaml.Node, out any, path string) error {
	return fillValue(n, reflect.ValueOf(out).Elem(), path)
}

func fillValue(n *yaml.Node, v reflect.Value, path string) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return fillValue(n.Content[0], v, path)
	case yaml.AliasNode:
		return bad(path, n, "aliases are not supported")
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil // "key:" keeps the default
	}
	switch {
	case v.Type() == durationType:
		return fillDuration(n, v, path)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return fillValue(n, v.Elem(), path)
	case v.Kind() == reflect.Struct:
		return fillStruct(n, v, path)
	case v.Kind() == reflect.Slice:
		return fillSlice(n, v, path)
	}
	if n.Kind != yaml.ScalarNode {
		return bad(path, n, "must be a single value")
	}
	if err := n.Decode(v.Addr().Interface()); err != nil {
		return bad(path, n, fmt.Sprintf("%q is not %s", n.Value, kindName(v.Kind())))
	}
	return nil
}

func fillStruct(n *yaml.Node, v reflect.Value, path string) error {
	setDefaults(v)
	if c, ok := v.Addr().Interface().(*ContactConfig); ok && n.Kind == yaml.ScalarNode {
		c.Account = n.Value
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return bad(path, n, "must be a mapping")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		field, def, ok := fieldFor(v, key.Value)
		if !ok {
			return bad(at, key, "unknown key")
		}
		if seen[key.Value] {
			return bad(at, key, "given twice")
		}
		seen[key.Value] = true
		if err := fillValue(value, field, at); err != nil {
			return err
		}
		if err := checkListed(def, field, at); err != nil {
			return err
		}
	}
	return nil
}

// setDefaults gives empty strings with listed values their default, for
// elements of lists, which DefaultConfig cannot reach.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		if values := listedValues(v.Type().Field(i)); values != nil && v.Field(i).String() == "" {
			v.Field(i).SetString(values[0])
		}
	}
}

func fillSlice(n *yaml.Node, v reflect.Value, path string) error {
	if n.Kind != yaml.SequenceNode {
		return bad(path, n, "must be a list")
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if err := fillValue(item, list.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// fillDuration takes Go's durations, bare numbers as seconds, and "off" as 0.
func fillDuration(n *yaml.Node, v reflect.Value, path string) error {
	if n.Kind == yaml.ScalarNode {
		// A bare off is a boolean to YAML 1.1 parsers, a string to others.
		if n.Value == "off" || n.Value == "false" {
			v.SetInt(0)
			return nil
		}
		if seconds, err := strconv.ParseUint(n.Value, 10, 31); err == nil {
			v.SetInt(int64(time.Duration(seconds) * time.Second))
			return nil
		}
		if d, err := time.ParseDuration(n.Value); err == nil && d >= 0 {
			v.SetInt(int64(d))
			return nil
		}
	}
	return bad(path, n, fmt.Sprintf("%q is not a duration such as 30s, 5m or off", n.Value))
}

func fieldFor(v reflect.Value, key string) (reflect.Value, reflect.StructField, bool) {
	for i := range v.NumField() {
		if def := v.Type().Field(i); keyOf(def) == key && key != "-" {
			return v.Field(i), def, true
		}
	}
	return reflect.Value{}, reflect.StructField{}, false
}

func bad(path string, n *yaml.Node, what string) error {
	if path == "" {
		return fmt.Errorf("line %d: %s", n.Line, what)
	}
	return fmt.Errorf("%s (line %d): %s", path, n.Line, what)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	default:
		return "a text"
	}
}
