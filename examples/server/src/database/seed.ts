/** The number of products, with the ids 0 to 24 999. The request trace has fewer shop pages. */
export const PRODUCTS = 25_000

/** The SQL that adds the rows at the first start. It adds the same rows in every database. */
export const SEED = `
  -- Up to the end of the transaction no foreign key is looked up, which takes a third of the time: all rows below have theirs.
  SET LOCAL session_replication_role = replica;

  INSERT INTO users (id, name, email, role)
  SELECT n, name, lower(name) || '@example.com', CASE WHEN n = 1 THEN 'admin' WHEN n <= 4 THEN 'editor' ELSE 'viewer' END
  FROM unnest(ARRAY['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Margaret', 'Donald', 'Frances', 'John', 'Radia'])
       WITH ORDINALITY AS people (name, n);

  INSERT INTO tables (id, name, description, is_public) VALUES
    (1, 'Products',  'What the shop sells',       true),
    (2, 'Suppliers', 'Where it comes from',       true),
    (3, 'Customers', 'Who bought it',             false),
    (4, 'Orders',    'What was bought and when',  false);

  -- The admin approves everywhere, user 2 approves products; editors write, viewers read.
  INSERT INTO permissions (user_id, table_id, level)
  SELECT u.id, t.id, CASE
    WHEN u.role = 'admin' OR (u.id = 2 AND t.id = 1) THEN 'approve'
    WHEN u.role = 'editor' THEN 'write'
    ELSE 'read' END
  FROM users u CROSS JOIN tables t;

  INSERT INTO records (id, table_id, fields, updated_at)
  SELECT n, 1, jsonb_build_object(
      'name', 'Product ' || n,
      'price', (n * 37 % 10000 + 99) / 100.0,
      'stock', n * 13 % 500,
      'category', (ARRAY['Books', 'Games', 'Garden', 'Kitchen', 'Music', 'Office', 'Sports', 'Toys'])[n % 8 + 1],
      'description', 'Product ' || n || ' of the example shop. ' || repeat('Sturdy, tested, in stock. ', 4)),
    timestamptz '2026-01-01' + n * interval '1 minute'
  FROM generate_series(0, ${PRODUCTS - 1}) AS n;

  INSERT INTO records (id, table_id, fields, updated_at)
  SELECT ${PRODUCTS} + n, CASE WHEN n < 50 THEN 2 WHEN n < 550 THEN 3 ELSE 4 END,
    CASE
      WHEN n < 50  THEN jsonb_build_object('name', 'Supplier ' || n, 'city', (ARRAY['Oslo', 'Porto', 'Graz', 'Lyon'])[n % 4 + 1])
      WHEN n < 550 THEN jsonb_build_object('name', 'Customer ' || n, 'orders', n % 7)
      ELSE jsonb_build_object('product', n * 41 % ${PRODUCTS}, 'quantity', n % 5 + 1, 'paid', n % 3 > 0)
    END,
    timestamptz '2026-02-01' + n * interval '1 minute'
  FROM generate_series(0, 1549) AS n;

  SELECT setval(pg_get_serial_sequence('records', 'id'), (SELECT max(id) FROM records));

  INSERT INTO notifications (user_id, message, created_at)
  SELECT id, 'Welcome, ' || name, timestamptz '2026-01-01' FROM users ORDER BY id;

  -- After the rows: an index is made faster than it is filled.
  CREATE INDEX records_of_table ON records (table_id, id);
  ANALYZE;
`
