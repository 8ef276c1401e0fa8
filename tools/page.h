/* Pages that the programs write: an HTML file of the tree with a run's data in it, which a browser
 * opens from disk. The file is built in (cmake/embed.cmake), and chladni-bench uses this too. */
#ifndef CHL_TOOLS_PAGE_H
#define CHL_TOOLS_PAGE_H

/* Where a page has its data, up to the next </script>. The page reads it by
 * JSON.parse(document.getElementById("data").textContent). */
#define PAGE_DATA "<script type=\"application/json\" id=\"data\">"

/* The page with the JSON text in it. No text of the JSON ends the script or begins a comment. To be
 * freed; NULL without memory, or when the page has no place for data. */
char *page_with_data(const char *page, const char *json);

/* The path as an address that a page may use for src and href: bytes that mean something else
 * there (a colon too), or are not ASCII, become %XX; a relative path stays relative. To be freed;
 * NULL without memory. */
char *page_address(const char *path);
#endif
