'use strict'
// The service's three hot endpoints as one would write them with Fastify and pg: plain SQL on the same tables, a cluster of two.
const cluster = require('node:cluster')
const fs = require('node:fs')
const { once } = require('node:events')
const readline = require('node:readline')

if (cluster.isPrimary) {
  for (let n = 0; n < 2; n++) cluster.fork()
  cluster.on('exit', () => process.exit(1))
  process.on('SIGTERM', () => process.exit(0))
} else {
  serve()
}

function serve () {
  const { createVerifier, createDecoder } = require('fast-jwt')
  const { Pool, types } = require('pg')
  const copyFrom = require('pg-copy-streams').from
  // Sums of dossiers fit a double; days stay as they are spelt.
  types.setTypeParser(20, Number)
  types.setTypeParser(1082, (text) => text)

  const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 8, min: 8 })
  const app = require('fastify')({ logger: false, bodyLimit: 1 << 30 })
  app.addContentTypeParser('application/x-ndjson', (request, payload, done) => done(null, payload))

  const keys = new Map(JSON.parse(fs.readFileSync(process.env.TOKEN_KEY_FILE, 'utf8')).keys.map((key) => [key.kid, Buffer.from(key.secret, 'base64')]))
  const decode = createDecoder({ complete: true })
  const verifiers = new Map([...keys].map(([kid, key]) => [
    kid, createVerifier({ key, algorithms: ['HS256'], allowedIss: 'ict-index', allowedAud: 'ict-index-api', cache: 1000 })
  ]))

  function fault (status, message) {
    return Object.assign(new Error(message), { statusCode: status })
  }

  app.addHook('onRequest', async (request) => {
    if (request.url === '/healthz') return
    const token = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    try {
      request.caller = verifiers.get(decode(token).header.kid)(token).sub
    } catch {
      throw fault(401, 'no valid token')
    }
  })

  const CHANNELS = { online: 1, in_person: 2, postal: 3 }
  const WHOLE = { type: 'province', code: 'ALL', name: 'Toàn tỉnh' }
  const NAMES = ['', 'online', 'in_person', 'postal']
  const COUNTS = ['received', 'resolved_early', 'resolved_on_time', 'resolved_late', 'withdrawn', 'carried_in', 'in_progress_on_time', 'in_progress_overdue']
  const of = (prefix) => COUNTS.map((name) => `${prefix}.${name}`).join(', ')

  // Named, so that they stay prepared.
  const SUMS = {
    name: 'sums',
    text: `select r.level, r.received, r.resolved, r.in_time, r.online_received, r.online_resolved from agencies a
      left join dossier_agency_rollups r on r.grain = 1 and r.period = $2 and r.agency_id = a.id where a.code = $1`
  }
  const TARGETS = {
    name: 'targets',
    text: `select code, comparator, value, due from targets where subject = 'metric' and scope = 'province' and year = $1 and code = any($2)`
  }
  const PAGE = {
    name: 'page',
    text: `select c.month, c.agency_id, c.service_id, c.channel, a.code as agency, s.code as service, c.source, c.revision, ${of('c')}
      from dossier_counts c join agencies a on a.id = c.agency_id join services s on s.id = c.service_id
      where c.source = $1 and c.month between $2 and $3 and (c.month, c.agency_id, c.service_id, c.channel) > ($4, $5, $6, $7)
      order by c.month, c.agency_id, c.service_id, c.channel limit $8`
  }
  const SENT = `create temporary table sent (agency text, service text, channel smallint, ${COUNTS.map((name) => `${name} integer`).join(', ')}) on commit drop`
  const UPSERT = `insert into dossier_counts as c (month, agency_id, service_id, channel, source, ${COUNTS.join(', ')}, revision)
    select $1, a.id, p.id, s.channel, $2, ${of('s')}, 1 from sent s join agencies a on a.code = s.agency join services p on p.code = s.service
    on conflict (month, agency_id, service_id, channel) do update set (${COUNTS.join(', ')}, revision) = row(${of('excluded')}, excluded.revision)
    where (${of('c')}) is distinct from (${of('excluded')})`

  app.get('/healthz', async () => ({ status: 'ok' }))

  const sum = (rows, column) => rows.reduce((total, row) => total + row[column], 0)
  const hundredths = (value) => Math.round((value + Number.EPSILON) * 100) / 100

  function counted (metric, rows) {
    if (metric === 'on_time') return [sum(rows, 'in_time'), sum(rows, 'resolved')]
    const [, level, what] = /^dossiers_level_([\d_]+)_(received|resolved|of_all)$/.exec(metric)
    const levels = level.split('_').map(Number)
    const chosen = rows.filter((row) => levels.includes(row.level))
    const column = what === 'received' ? 'received' : 'resolved'
    return [sum(chosen, `online_${column}`), sum(what === 'of_all' ? rows : chosen, column)]
  }

  function rateItem (metric, group, rows, aim) {
    const [numerator, denominator] = counted(metric, rows)
    const exact = denominator ? 100 * numerator / denominator : null
    const item = {
      metric, counting: null, group, numerator, denominator, rate: exact === null ? null : hundredths(exact),
      rate_reason: denominator ? null : 'no_dossiers', target: null, gap: null, dossiers_needed: null, dossiers_to_shift: null
    }
    if (aim) {
      const value = Number(aim.value)
      item.target = { comparator: aim.comparator, value, value_to: null, due: aim.due, met: exact === null ? null : exact >= value }
      if (exact !== null) {
        const missing = value * denominator - 100 * numerator
        item.gap = hundredths(value - exact)
        item.dossiers_needed = Math.max(0, Math.ceil(missing / (100 - value)))
        item.dossiers_to_shift = Math.max(0, Math.ceil(missing / 100))
      }
    }
    return item
  }

  app.get('/api/v1/statistics/dossier-rates', async (request) => {
    const { period, agency, metric = 'dossiers_level_3_resolved,dossiers_level_4_resolved' } = request.query
    if (!/^\d{4}-\d{2}$/.test(period)) throw fault(400, 'period: expected a month such as 2018-03')
    const metrics = metric.split(',')
    const [sums, targets] = await Promise.all([
      pool.query({ ...SUMS, values: [agency, `${period}-01`] }),
      pool.query({ ...TARGETS, values: [Number(period.slice(0, 4)), metrics] })
    ])
    if (!sums.rows.length) throw fault(400, 'agency: unknown')
    const rows = sums.rows.filter((row) => row.level !== null)
    const aims = Object.fromEntries(targets.rows.map((row) => [row.code, row]))
    const coverage = { expected: 1, reported: rows.length ? 1 : 0, missing: rows.length ? [] : [agency], partial: [] }
    const items = metrics.map((one) => rateItem(one, WHOLE, rows, aims[one]))
    return { period, level_at: 'period_end', coverage, as_of: new Date().toISOString(), items }
  })

  app.get('/api/v1/dossier-counts', async (request) => {
    const { period, cursor } = request.query
    const limit = Number(request.query.limit ?? 50)
    const after = cursor ? JSON.parse(Buffer.from(cursor, 'base64url')) : ['0001-01-01', 0, 0, 0]
    const found = await pool.query({ ...PAGE, values: [request.caller, `${period}-01-01`, `${period}-12-31`, ...after, limit + 1] })
    const page = found.rows.slice(0, limit)
    const items = page.map((row) => {
      const item = { month: row.month.slice(0, 7), agency: row.agency, service: row.service, channel: NAMES[row.channel] }
      for (const name of COUNTS) item[name] = row[name]
      item.source = row.source
      item.revision = row.revision
      return item
    })
    const last = found.rows.length > limit ? page[page.length - 1] : null
    const next = last && Buffer.from(JSON.stringify([last.month, last.agency_id, last.service_id, last.channel])).toString('base64url')
    return { items, page: { limit, next_cursor: next } }
  })

  // A line of COPY's text format; codes hold no tabs and no backslashes.
  function record (row) {
    const [received, early, onTime, late, withdrawn, carriedIn, ahead, overdue] = COUNTS.map((name) => row[name])
    const balanced = received + carriedIn === early + onTime + late + withdrawn + ahead + overdue
    if (!COUNTS.every((name) => Number.isInteger(row[name]) && row[name] >= 0) || !balanced) throw fault(422, 'counts do not balance')
    if (!CHANNELS[row.channel] || /[\t\\\n]/.test(row.agency + row.service)) throw fault(422, 'not a row')
    return `${row.agency}\t${row.service}\t${CHANNELS[row.channel]}\t${COUNTS.map((name) => row[name]).join('\t')}\n`
  }

  async function copyRows (body, copy) {
    let rows = 0
    let received = 0
    let text = ''
    for await (const line of readline.createInterface({ input: body, crlfDelay: Infinity })) {
      if (!line) continue
      const row = JSON.parse(line)
      rows++
      received += row.received
      text += record(row)
      if (text.length > 1 << 18) {
        if (!copy.write(text)) await once(copy, 'drain')
        text = ''
      }
    }
    const finished = once(copy, 'finish')
    copy.end(text)
    await finished
    return { rows, received }
  }

  app.put('/api/v1/dossier-batches/:source/:month', async (request) => {
    const { source, month } = request.params
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query(SENT)
      const sent = await copyRows(request.body, client.query(copyFrom('copy sent from stdin')))
      if (sent.rows !== Number(request.query.rows) || sent.received !== Number(request.query.received)) throw fault(422, 'control totals differ')
      await client.query({ name: 'upsert', text: UPSERT, values: [`${month}-01`, source] })
      await client.query('commit')
      client.release()
      return { source, month, rows: sent.rows }
    } catch (error) {
      // Whatever state the connection is in, it is not used again.
      client.release(true)
      throw error
    }
  })

  app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
}
