import { describe, expect, test } from 'vitest'
import * as Template from '../src/llama/Template.ts'

const noon = Date.UTC(2024, 1, 9, 13, 5, 7)

describe('chat template', () => {
  const render = (source: string, messages: readonly unknown[] = []) =>
    Template.compile(source).render({ messages, bos: '<s>', eos: '</s>', startedMs: noon })

  test('sees messages, the two tokens, and that an answer is to begin', () => {
    const source =
      "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}: {{ m.content }}{{ eos_token }}]{% endfor %}" +
      '{% if add_generation_prompt %}[assistant: {% endif %}'
    expect(render(source, [{ role: 'user', content: 'Hi {{ not code }}' }])).toBe(
      '<s>[user: Hi {{ not code }}</s>][assistant: ',
    )
  })

  test('its clock is the job’s, in UTC', () => {
    expect(render("{{ strftime_now('%d %b %Y %H:%M') }}")).toBe('09 Feb 2024 13:05')
  })

  test('refuses messages by raise_exception, with its words', () => {
    expect(() => render("{{ raise_exception('roles must alternate') }}")).toThrow('roles must alternate')
  })

  test('has Python’s constants and range', () => {
    expect(
      render('{% for i in range(1, 6, 2) %}{{ i }}{% endfor %}{% for i in range(2) %}{{ i }}{% endfor %}'),
    ).toBe('13501')
    expect(render('{% if none == None and true == True and not False %}yes{% endif %}')).toBe('yes')
    expect(() => render('{{ range(1, 2, 0) }}')).toThrow('step')
  })

  test('source that is no template is an error when compiled', () => {
    expect(() => Template.compile('{% for %}')).toThrow()
  })
})

test.each([
  ['%A %a %B %b', 'Friday Fri February Feb'],
  ['%Y-%m-%d %F', '2024-02-09 2024-02-09'],
  ['%H:%M:%S %T %I %p', '13:05:07 13:05:07 01 PM'],
  ['%-d %-m %-I %e %y %j', '9 2 1  9 24 040'],
  ['%% %Q %Z %z', '% %Q UTC +0000'],
])('strftime %s', (format, expected) => {
  expect(Template.strftime(noon, format)).toBe(expected)
})

test('strftime at midnight', () => {
  expect(Template.strftime(Date.UTC(2023, 11, 31), '%I %p %-H %j')).toBe('12 AM 0 365')
})
