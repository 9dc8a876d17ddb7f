package transfer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// kind is how values of a column are treated.
type kind int

const (
	kindText kind = iota
	kindPadded
	kindBool
	kindInt
	kindBytes
	kindJSON
	kindTime
)

// kinds are the types of PostgreSQL that the bridge's tables use, as information_schema calls them. An enumeration counts as text.
var kinds = map[string]kind{
	"text": kindText, "character varying": kindText, "USER-DEFINED": kindText, "character": kindPadded, "boolean": kindBool,
	"bigint": kindInt, "integer": kindInt, "smallint": kindInt, "bytea": kindBytes, "jsonb": kindJSON, "json": kindJSON,
	"timestamp without time zone": kindTime,
}

// convert makes a value of either database what the target's driver is to be given. changed tells that bytes were left out that PostgreSQL does not hold.
func (k kind) convert(value any) (converted any, changed bool, err error) {
	if value == nil {
		return nil, false, nil
	}
	switch k {
	case kindText, kindPadded:
		if text, ok := asText(value); ok {
			clean := strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
			return clean, clean != text, nil
		}
	case kindJSON:
		if text, ok := asText(value); ok {
			return cleanJSON(text)
		}
	case kindBytes:
		switch v := value.(type) {
		case []byte:
			return append([]byte{}, v...), false, nil
		case string:
			return []byte(v), false, nil
		}
	case kindBool:
		switch v := value.(type) {
		case bool:
			return v, false, nil
		case int64:
			if v == 0 || v == 1 {
				return v == 1, false, nil
			}
		}
	case kindInt:
		switch v := value.(type) {
		case int64:
			return v, false, nil
		case bool:
			if v {
				return int64(1), false, nil
			}
			return int64(0), false, nil
		}
	case kindTime:
		if v, ok := value.(time.Time); ok {
			return v.UTC().Truncate(time.Microsecond), false, nil
		}
	}
	return nil, false, fmt.Errorf("a value of type %T does not fit", value)
}

func asText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// cleanJSON leaves out zero characters, which PostgreSQL does not hold in jsonb even when they are escaped.
func cleanJSON(text string) (any, bool, error) {
	clean := strings.ToValidUTF8(text, "\uFFFD")
	if strings.Contains(clean, `\u0000`) {
		decoded, err := decodeJSON(clean)
		if err != nil {
			return nil, false, err
		}
		encoded, err := json.Marshal(withoutZeros(decoded))
		if err != nil {
			return nil, false, err
		}
		clean = string(encoded)
	}
	return clean, clean != text, nil
}

func decodeJSON(text string) (value any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err = decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	return value, nil
}

func withoutZeros(value any) any {
	switch v := value.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case []any:
		for i := range v {
			v[i] = withoutZeros(v[i])
		}
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, inner := range v {
			clean[strings.ReplaceAll(key, "\x00", "")] = withoutZeros(inner)
		}
		return clean
	}
	return value
}

func sizeOf(value any) int {
	switch v := value.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	}
	return 8
}

// checksum is the content of a table, whatever the order of its rows.
type checksum struct {
	rows int
	sum  [4]uint64
}

// add counts a row of converted values.
func (c *checksum) add(columns []column, values []any) error {
	hash := sha256.New()
	for i, column := range columns {
		raw, err := column.kind.canonical(values[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", column.name, err)
		}
		var head [9]byte
		if values[i] != nil {
			head[0] = 1
		}
		binary.BigEndian.PutUint64(head[1:], uint64(len(raw)))
		hash.Write(head[:])
		hash.Write(raw)
	}
	row := hash.Sum(nil)
	for i := range c.sum {
		c.sum[i] += binary.BigEndian.Uint64(row[8*i:])
	}
	c.rows++
	return nil
}

// canonical is one form for values that are the same: PostgreSQL writes JSON its own way, and fills up texts of a fixed length.
func (k kind) canonical(value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case string:
		switch k {
		case kindPadded:
			return []byte(strings.TrimRight(v, " ")), nil
		case kindJSON:
			var decoded any // numbers as floats: 1e3 and 1000 are the same
			if err := json.Unmarshal([]byte(v), &decoded); err != nil {
				return nil, fmt.Errorf("not valid JSON: %w", err)
			}
			var out bytes.Buffer
			err := json.NewEncoder(&out).Encode(decoded)
			return out.Bytes(), err
		default:
			return []byte(v), nil
		}
	case time.Time:
		return []byte(v.UTC().Format(time.RFC3339Nano)), nil
	default:
		return fmt.Append(nil, v), nil
	}
}
