/** What people ask models about, by language: a task with a place for a subject, and subjects. Public commonplaces, nobody's prompts. */
export type Language = {
  readonly weight: number
  readonly systems: readonly string[]
  readonly tasks: readonly string[]
  readonly subjects: readonly string[]
  /** Wishes about the form, with `{n}` for a small number; '' for none. */
  readonly forms: readonly string[]
  /** Lead-ins with `{name}`, `{time}` and `{date}`: with them hardly a prompt comes twice, on this machine or any other. */
  readonly leads: readonly string[]
}

export const languages: readonly Language[] = [
  {
    weight: 7,
    systems: [
      'You are a helpful assistant.',
      'You answer questions clearly and correctly.',
      'You are a friendly teacher who explains things in plain words.',
      'You are an assistant of a small company. Be polite and to the point.',
      'Answer in complete sentences.',
      'You are a careful writer.',
    ],
    tasks: [
      'Explain {subject} to a beginner.',
      'Write a short paragraph about {subject}.',
      'What are the main advantages and disadvantages of {subject}?',
      'Give me a step-by-step plan to learn about {subject}.',
      'Tell a short story in which {subject} plays a part.',
      'Write an e-mail to a colleague about {subject}.',
      'Compare {subject} with {other}.',
      'What should one know about {subject} before starting with {other}?',
      'Write a Python function that has something to do with {subject}, and explain it.',
      'Make a list of interesting facts about {subject}.',
      'How has {subject} changed over time?',
      'Describe {subject} as a journalist would.',
      'Draft the opening of a talk on {subject}.',
      'Answer a child who asks: what is {subject}?',
      'What are common mistakes with {subject}, and how are they avoided?',
      'Summarise what is known about {subject}.',
    ],
    subjects: [
      'photosynthesis',
      'the history of railways',
      'baking bread',
      'sorting algorithms',
      'the tides',
      'renting a flat',
      'compound interest',
      'the Roman Empire',
      'bicycle repair',
      'volcanoes',
      'chess openings',
      'public libraries',
      'vaccines',
      'learning a language',
      'solar panels',
      'the printing press',
      'growing tomatoes',
      'databases',
      'jazz',
      'long-distance running',
      'recycling glass',
      'black holes',
      'negotiating a salary',
      'bees',
      'the French Revolution',
      'first aid',
      'regular expressions',
      'mountain weather',
      'coffee',
      'electric cars',
      'writing poetry',
      'bridges',
      'the human heart',
      'fishing villages',
      'city planning',
      'prime numbers',
      'earthquakes',
      'photography at night',
      'school gardens',
      'taxes',
    ],
    forms: [
      '',
      '',
      '',
      'Use about {n} sentences.',
      'Give {n} examples.',
      'Use simple words.',
      'Answer as a numbered list.',
      'Be brief.',
      'Add a title.',
    ],
    leads: [
      'It is {time} on {date}, and my friend {name} asked me this. ',
      'I am {name}, and I have to talk about this on {date} at {time}. ',
      'From {name}, {date}, {time}: ',
      '{name} and I meet on {date} at {time}. ',
      'My name is {name}. I ask because of a course that begins on {date} at {time}. ',
    ],
  },
  {
    weight: 1,
    systems: ['Du bist ein hilfreicher Assistent.', 'Antworte sachlich und in ganzen Sätzen.'],
    tasks: [
      'Erkläre {subject} für Anfänger.',
      'Schreibe einen kurzen Absatz über {subject}.',
      'Was sind die Vor- und Nachteile von {subject}?',
      'Vergleiche {subject} mit {other}.',
      'Erzähle eine kleine Geschichte über {subject}.',
    ],
    subjects: [
      'Brot',
      'Eisenbahnen',
      'Vulkane',
      'Schach',
      'Bienen',
      'Windrädern',
      'Museen',
      'Kaffee',
      'Regenwäldern',
    ],
    forms: ['', 'In etwa {n} Sätzen.', 'Nenne {n} Beispiele.'],
    leads: [
      'Das hat mich {name} am {date} um {time} gefragt. ',
      'Ich heiße {name} und brauche es am {date} um {time}. ',
    ],
  },
  {
    weight: 1,
    systems: ['Tu es un assistant utile.', 'Réponds clairement, en phrases complètes.'],
    tasks: [
      'Explique {subject} à un débutant.',
      'Écris un court paragraphe sur {subject}.',
      'Compare {subject} et {other}.',
      'Raconte une petite histoire sur {subject}.',
    ],
    subjects: [
      'le pain',
      'les volcans',
      'les abeilles',
      'le train',
      'la photographie',
      'les marées',
      'les échecs',
    ],
    forms: ['', 'En {n} phrases environ.', 'Donne {n} exemples.'],
    leads: [
      'C’est {name} qui me le demande ce {date} à {time}. ',
      'Je m’appelle {name} et j’en parle le {date} à {time}. ',
    ],
  },
  {
    weight: 1,
    systems: ['Eres un asistente útil.', 'Responde con claridad y en frases completas.'],
    tasks: [
      'Explica {subject} a un principiante.',
      'Escribe un párrafo corto sobre {subject}.',
      'Compara {subject} con {other}.',
      'Cuenta una historia breve sobre {subject}.',
    ],
    subjects: [
      'el pan',
      'los volcanes',
      'las abejas',
      'el tren',
      'la fotografía',
      'las mareas',
      'el ajedrez',
    ],
    forms: ['', 'En unas {n} frases.', 'Da {n} ejemplos.'],
    leads: [
      'Me lo preguntó {name} el {date} a las {time}. ',
      'Soy {name} y lo necesito el {date} a las {time}. ',
    ],
  },
]

export const names: readonly string[] =
  'Ada Amir Anna Ben Carla Chen Dora Elif Emil Fatima George Hana Ines Ivan Jonas Kim Lea Luca Maria Nadia Noah Olga Paul Priya Rosa Sam Tariq Uma Vera Yusuf'.split(
    ' ',
  )
