import * as Quartiles from './Quartiles.ts'

/** One line of the table: a measurement, and where there is something to hold it against, their ratio in each round. */
export type Row = {
  readonly section: string
  readonly what: string
  readonly metric: string
  readonly unit: string
  readonly samples: number
  readonly value: Quartiles.Quartiles
  readonly baseline?: string
  readonly ratio?: Quartiles.Quartiles
}

type Labels = Pick<Row, 'section' | 'what' | 'metric' | 'unit'>

/**
 * @example Row.of({ section: 'Receipts', what: 'noble', metric: 'receipts', unit: '1/s' }, [310, 305, 312])
 */
export function of(
  labels: Labels,
  values: readonly number[],
  against?: { readonly baseline: string; readonly values: readonly number[] },
): Row {
  return {
    ...labels,
    samples: values.length,
    value: Quartiles.of(values),
    ...(against && { baseline: against.baseline, ratio: Quartiles.ratio(values, against.values) }),
  }
}
