CREATE TABLE goods(id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, price REAL);
CREATE TABLE sales(good INTEGER, count INTEGER, note TEXT);
INSERT INTO goods WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
    SELECT i, 'good ' || (i * 7919 % 10007), i % 97, i * 0.25 FROM n;
INSERT INTO sales WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS * 2)
    SELECT i * 31 % ROWS + 1, i % 7, printf('note %d of a sale', i * 17 % 5003) FROM n;
CREATE INDEX by_name ON goods(name);
SELECT kind, sum(count * price), group_concat(DISTINCT note) IS NOT NULL FROM sales JOIN goods ON good = id
    GROUP BY kind ORDER BY 2 DESC LIMIT 5;
SELECT name, count(*) FROM goods JOIN sales ON good = id GROUP BY name ORDER BY 2 DESC, 1 LIMIT 5;
UPDATE goods SET name = name || ' renamed' WHERE kind % 3 = 0;
SELECT count(DISTINCT substr(note, 6) || name) FROM sales JOIN goods ON good = id;
DELETE FROM sales WHERE count = 3;
SELECT count(*) FROM sales;
