import { Bytes } from '../../src/index.ts'
import type { Case, Vectors } from './Vectors.ts'

// Expected texts are written out by hand from RFC 8785, not computed.

const valid = (name: string, json: string, canonical: string): Case => ({
  name,
  json,
  canonical,
  bytes: Bytes.toHex(Bytes.fromText(canonical)),
})
const invalid = (name: string, text: string, error = 'not-canonical'): Case => ({ name, text, error })

export const canonicalJson: Vectors = {
  valid: [
    valid(
      'keys in order of UTF-16 units',
      '{"b":1,"a":2,"A":3,"10":4,"2":5}',
      '{"10":4,"2":5,"A":3,"a":2,"b":1}',
    ),
    valid(
      'a pair of surrogates before U+FB33',
      '{"\\ufb33":1,"\\ud83d\\ude00":2}',
      '{"\u{1f600}":2,"\ufb33":1}',
    ),
    valid('white space', ' { "a" : [ 1 , 2 ] } ', '{"a":[1,2]}'),
    valid('order of arrays kept', '[3,1,2]', '[3,1,2]'),
    valid('integers', '[1.0,-0,100,1e2,9007199254740991]', '[1,0,100,100,9007199254740991]'),
    valid(
      'fractions',
      '[0.10,1E-7,0.000001,1e21,123456789012345680000]',
      '[0.1,1e-7,0.000001,1e+21,123456789012345680000]',
    ),
    valid('least and greatest', '[5e-324,1.7976931348623157e308]', '[5e-324,1.7976931348623157e+308]'),
    valid(
      'escapes',
      '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\\\/\\u20ac\\u007f"',
      '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/€\u007f"',
    ),
    valid('no normalisation', '["\\u00e9","e\\u0301"]', '["é","e\u0301"]'),
    valid('constants', '[true,false,null,"",{},[]]', '[true,false,null,"",{},[]]'),
    valid('a key named __proto__', '{"b":1,"__proto__":2}', '{"__proto__":2,"b":1}'),
    valid('a bare string', '"x"', '"x"'),
  ],
  invalid: [
    invalid('white space', '{"a": 1}'),
    invalid('a line feed after', '{}\n'),
    invalid('keys out of order', '{"b":1,"a":2}'),
    invalid('a key twice', '{"a":1,"a":1}'),
    invalid('1.0', '[1.0]'),
    invalid('minus zero', '[-0]'),
    invalid('an exponent not needed', '[1e2]'),
    invalid('an exponent without its sign', '[1e21]'),
    invalid('a fraction of 18 digits', '[0.100000000000000001]'),
    invalid('past the greatest number', '[1e400]'),
    invalid('an escape not needed', '"\\u0061"'),
    invalid('an escaped slash', '"\\/"'),
    invalid('an escape in upper case', '"\\u001F"'),
    invalid('half a character, escaped', '"\\ud800"'),
    invalid('a byte order mark', '\ufeff{}', 'syntax'),
    invalid('nothing', '', 'syntax'),
    invalid('a comma too many', '[1,]', 'syntax'),
    invalid('NaN', '[NaN]', 'syntax'),
    invalid('single quotes', "{'a':1}", 'syntax'),
    invalid('two values', '{}{}', 'syntax'),
  ],
}
