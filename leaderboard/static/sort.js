// Lets a click on a header sort the ranking; without it the table keeps its order by mean R1.
document.querySelectorAll("table.ranking").forEach((table) => {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.order === undefined ? cell.textContent.trim() : cell.dataset.order;
  };
  const compare = (a, b) =>
    isNaN(a) || isNaN(b) ? a.localeCompare(b) : Number(a) - Number(b);
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const current = header.getAttribute("aria-sort");
      const opposite = current === "ascending" ? "descending" : "ascending";
      const direction = current ? opposite : header.dataset.sort;
      const sign = direction === "ascending" ? 1 : -1;
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", direction);
      const known = (row) => valueOf(row, column) !== "";
      const rows = [...body.rows];
      rows.sort((a, b) =>
        known(b) - known(a) || sign * compare(valueOf(a, column), valueOf(b, column)));
      body.append(...rows);
    });
  });
  headers[0].setAttribute("aria-sort", "ascending");
});
