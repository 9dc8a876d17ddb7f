package messengerd

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Help explains every key of the configuration, with values and defaults.
func Help() string {
	var b strings.Builder
	b.WriteString("The configuration is a YAML file with these keys (default in brackets):\n\n")
	helpStruct(&b, reflect.ValueOf(DefaultConfig()).Elem(), "  ")
	return b.String()
}

func helpStruct(b *strings.Builder, v reflect.Value, indent string) {
	for i := range v.NumField() {
		def := v.Type().Field(i)
		if keyOf(def) == "-" {
			continue
		}
		fmt.Fprintf(b, "%s%s:%s\n", indent, keyOf(def), defaultText(def, v.Field(i)))
		text := def.Tag.Get("doc")
		if see := def.Tag.Get("see"); see != "" {
			text += " (protocol " + see + ")"
		}
		for _, line := range wrap(text, 100-len(indent)) {
			fmt.Fprintf(b, "%s    %s\n", indent, line)
		}
		if values := listedValues(def); values != nil {
			values = slices.DeleteFunc(values, func(s string) bool { return s == "" })
			for _, line := range wrap("one of: "+strings.Join(values, ", "), 100-len(indent)) {
				fmt.Fprintf(b, "%s    %s\n", indent, line)
			}
		}
		inner := def.Type
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() != reflect.Struct {
			continue
		}
		value := v.Field(i)
		if value.Kind() != reflect.Struct {
			value = reflect.New(inner).Elem()
			setDefaults(value)
		}
		helpStruct(b, value, indent+"    ")
	}
}

// defaultText shows a default; lists and mappings show what they are instead.
func defaultText(def reflect.StructField, v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		if v.Int() == 0 {
			return " [off]"
		}
		return fmt.Sprintf(" [%s]", shortDuration(time.Duration(v.Int())))
	case v.Kind() == reflect.String && v.String() == "":
		return ""
	case v.Kind() == reflect.String, v.Kind() == reflect.Bool, v.Kind() == reflect.Int:
		return fmt.Sprintf(" [%v]", v.Interface())
	case v.Kind() == reflect.Slice && def.Type.Elem().Kind() == reflect.Struct:
		return " (list of)"
	case v.Kind() == reflect.Slice:
		return " (list)"
	default:
		return ""
	}
}

func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// switchesJSON writes the switches with the keys of the configuration.
func switchesJSON(sw *Switches) map[string]any {
	return keysAndValues(reflect.ValueOf(sw).Elem())
}

func keysAndValues(v reflect.Value) map[string]any {
	m := map[string]any{}
	for i := range v.NumField() {
		field, key := v.Field(i), keyOf(v.Type().Field(i))
		switch {
		case field.Type() == durationType:
			m[key] = time.Duration(field.Int()).String()
		case field.Kind() == reflect.Struct:
			m[key] = keysAndValues(field)
		default:
			m[key] = field.Interface()
		}
	}
	return m
}
